import { Injectable } from '@nestjs/common';
import { SseConnections } from 'nestjs-eventstream';
import { map, merge, ReplaySubject, Subject, type Observable } from 'rxjs';
import type { ClusterState } from './events.js';
import { PROCESS_NUMBER, type ToPrimary, type ToProcess } from './primary-messages.js';

/**
 * This process among the others. They hear of each other through the primary, which knows who is
 * alive.
 */
@Injectable()
export class ClusterService {
  readonly number = Number(process.env[PROCESS_NUMBER]);
  readonly name = `process ${this.number}`;
  private readonly states = new ReplaySubject<ClusterState>(1);
  private readonly drops = new Subject<string>();
  private latest: ClusterState | undefined;

  /** Connections that this process has to drop, if they are its own. */
  readonly drops$: Observable<string> = this.drops.asObservable();

  /**
   * As it is, and as it changes: not an event of the hub, which could not say that Redis is away.
   */
  readonly state$: Observable<ClusterState> = this.states.asObservable();

  constructor(connections: SseConnections) {
    process.on('message', (message: ToProcess) => this.take(message));
    merge(connections.opened$, connections.closed$)
      .pipe(map(() => connections.count))
      .subscribe((count) => this.tell({ connections: count }));
  }

  get state(): ClusterState | undefined {
    return this.latest;
  }

  tell(message: ToPrimary): void {
    // Without the primary this process ends by itself.
    process.send?.(message, undefined, undefined, () => {});
  }

  private take(message: ToProcess): void {
    if ('drop' in message) return this.drops.next(message.drop);
    this.latest = message.cluster;
    this.states.next(message.cluster);
  }
}
