import { randomUUID } from 'node:crypto';
import { Injectable, NotFoundException, type OnModuleDestroy } from '@nestjs/common';
import { map, ReplaySubject, Subscription, take, timer, type Observable } from 'rxjs';

const STEP_MS = 40;
/** Beyond so many, the oldest is forgotten. */
const MAX_JOBS = 100;
const STEPS = ['Reading', 'Resizing', 'Packing', 'Uploading', 'Done'] as const;

export interface Progress {
  percent: number;
  step: (typeof STEPS)[number];
}

/** Jobs run whether anybody looks or not. */
@Injectable()
export class JobsService implements OnModuleDestroy {
  private readonly jobs = new Map<string, Observable<Progress>>();
  private readonly running = new Subscription();

  start(): string {
    const id = randomUUID();
    // Whoever comes late begins with where the job is, and after its end with that.
    const progress = new ReplaySubject<Progress>(1);
    const steps = timer(0, STEP_MS).pipe(take(101), map(progressOf));
    this.running.add(steps.subscribe(progress));
    this.jobs.set(id, progress);
    const [oldest] = this.jobs.keys();
    if (this.jobs.size > MAX_JOBS && oldest !== undefined) this.jobs.delete(oldest);
    return id;
  }

  progress(id: string): Observable<Progress> {
    const progress = this.jobs.get(id);
    if (progress === undefined) throw new NotFoundException(`There is no job ${id}`);
    return progress;
  }

  onModuleDestroy(): void {
    this.running.unsubscribe();
  }
}

function progressOf(percent: number): Progress {
  return { percent, step: STEPS[Math.floor(percent / 25)] ?? 'Done' };
}
