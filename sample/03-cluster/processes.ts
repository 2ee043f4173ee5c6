import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { ClusterState, ProcessState } from './events.js';
import { PROCESS_NUMBER, type ToPrimary, type ToProcess } from './primary-messages.js';

/**
 * So long one is away after it was killed: long enough to be seen, and for its clients to go
 * elsewhere.
 */
const RESTART_MS = 2_000;

// Each process accepts by itself. With round robin the primary accepts and hands on, and a
// connection on its way to a process that is being killed is never answered: its client would wait
// for good.
cluster.schedulingPolicy = cluster.SCHED_NONE;

/** The processes behind the port, as the primary has them. */
export class Processes {
  readonly redis: ClusterState['redis'] = { isUp: false, canBeKilled: false };
  onKillRedis = (): void => {};
  private readonly states: ProcessState[] = [];
  private readonly workers = new Map<number, Worker>();
  private hasStarted = false;
  private isStopping = false;

  constructor(private readonly environment: Record<string, string>) {}

  /** Resolves when all of them listen. */
  async start(count: number): Promise<void> {
    for (let number = 1; number <= count; number++) {
      this.states.push({ number, pid: 0, isAlive: false, connections: 0 });
    }
    await Promise.all(this.states.map((state) => once(this.fork(state), 'listening')));
    this.hasStarted = true;
  }

  /** Resolves when all of them are gone. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(
      [...this.workers.values()].map((worker) => {
        worker.process.kill('SIGTERM');
        return once(worker, 'exit');
      }),
    );
  }

  setRedis(isUp: boolean): void {
    // Each attempt to come back that fails is told too.
    if (isUp === this.redis.isUp) return;
    this.redis.isUp = isUp;
    this.sendState();
  }

  private fork(state: ProcessState): Worker {
    const { number } = state;
    const worker = cluster.fork({ ...this.environment, [PROCESS_NUMBER]: String(number) });
    this.workers.set(number, worker);
    worker.on('message', (message: ToPrimary) => this.take(message, state));
    worker.on('listening', () => {
      this.change(state, { pid: worker.process.pid ?? 0, isAlive: true });
    });
    worker.on('exit', () => {
      this.workers.delete(number);
      this.change(state, { isAlive: false, connections: 0 });
      if (this.isStopping) return;
      // What does not start at all will not start the next time; it has said why.
      if (!this.hasStarted) process.exit(1);
      setTimeout(() => this.isStopping || this.fork(state), RESTART_MS);
    });
    return worker;
  }

  private take(message: ToPrimary, state: ProcessState): void {
    if ('connections' in message) this.change(state, message);
    else if ('dropElsewhere' in message) this.tell({ drop: message.dropElsewhere });
    else if (message.kill === 'redis') this.onKillRedis();
    else this.workers.get(message.kill)?.process.kill('SIGKILL');
  }

  private change(state: ProcessState, change: Partial<ProcessState>): void {
    Object.assign(state, change);
    this.sendState();
  }

  private sendState(): void {
    this.tell({ cluster: { processes: this.states, redis: this.redis } });
  }

  private tell(message: ToProcess): void {
    // That one is gone is told by its exit, not by what could not be sent to it.
    for (const worker of this.workers.values()) worker.send(message, () => {});
  }
}
