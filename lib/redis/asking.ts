import { describe, SseClosedError, SseError } from '../ground/errors.js';
import type { Connection } from './client.js';
import type { Script } from './script.js';
import { isFinal, startError } from './server.js';
import { limited, unavailable, within } from './waits.js';

const WAIT_TIMEOUT_MS = 1_000;
/** How long a start waits for a Redis that is starting too. */
export const START_TIMEOUT_MS = 5_000;

/** What goes with the run of a script. */
export interface RunOptions {
  /** Wait until this many replicas have what the script wrote. */
  readonly replicas?: number;
  readonly timeoutMs: number;
}

/**
 * One connection that asks. It comes back by itself; while it is away a call waits for it, but not
 * for longer than it is allowed. A connection on which a reply does not come in time is given up,
 * with all that waits on it.
 */
export class Asking {
  private readonly waitingForReady = new Set<() => void>();
  private isClosed = false;
  /** It is of no use, and its end has been asked for. */
  private isGivenUp = false;
  private lastError: string | undefined;

  constructor(
    private readonly connection: Connection,
    /** The limit that the connection sets each command itself; 0: none. */
    private readonly commandTimeoutMs: number,
  ) {
    connection.on('error', (error: Error & { lastNodeError?: Error }) => {
      this.lastError = describe(error.lastNodeError ?? error);
    });
    connection.on('ready', () => {
      this.isGivenUp = false;
      for (const go of this.waitingForReady) go();
    });
  }

  connect(): void {
    this.connection.connect().catch((error: Error & { lastNodeError?: Error }) => {
      this.lastError ??= describe(error.lastNodeError ?? error);
    });
  }

  /** Waits for a Redis that may be starting too, but not where waiting does not help. */
  async started(): Promise<void> {
    const { connection } = this;
    try {
      await within(START_TIMEOUT_MS, (resolve, reject) => {
        const failed = (): void => {
          if (isFinal(this.lastError ?? '')) reject(new Error(this.lastError));
        };
        connection.on('ready', resolve).on('error', failed).on('close', failed).on('end', failed);
        return () => {
          connection.off('ready', resolve).off('error', failed).off('close', failed);
          connection.off('end', failed);
        };
      });
    } catch (error) {
      throw startError(this.lastError ?? describe(error));
    }
  }

  /** One command. @throws SseError as `run` */
  call(timeoutMs: number, command: string, ...args: string[]): Promise<unknown> {
    const deadline = performance.now() + timeoutMs;
    return this.reply(this.connection.call(command, ...args), deadline);
  }

  /** @throws SseError `SSE_LOG_UNAVAILABLE` within `timeoutMs`; SseClosedError */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    { replicas = 0, timeoutMs }: RunOptions,
  ): Promise<unknown> {
    const deadline = performance.now() + timeoutMs;
    const { connection } = this;
    if (this.isClosed) throw new SseClosedError('the hub');
    if (connection.status !== 'ready') await this.becomingReady(timeoutMs);
    const params = [...keys, ...args];
    // Right behind the script and not after its reply: `WAIT` is for what this very connection has
    // written.
    const wait = async (): Promise<void> => {
      if (replicas === 0) return;
      const have = Number(await connection.call('WAIT', String(replicas), String(WAIT_TIMEOUT_MS)));
      if (have < replicas) throw new Error(`the event reached ${have} of ${replicas} replicas`);
    };
    const send = (): Promise<[unknown, void]> =>
      Promise.all([connection.evalsha(script.sha, keys.length, ...params), wait()]);
    const sendAgain = async (error: unknown): Promise<[unknown, void]> => {
      const why = describe(error);
      if (why.includes('NOSCRIPT')) {
        return Promise.all([connection.eval(script.lua, keys.length, ...params), wait()]);
      }
      // The link broke, and nothing was sent yet.
      if (!why.includes("isn't writeable")) throw error;
      await this.becomingReady(deadline - performance.now());
      return send().catch(sendAgain);
    };
    const [reply] = await this.reply(send().catch(sendAgain), deadline);
    return reply;
  }

  close(): void {
    this.isClosed = true;
    this.connection.disconnect();
  }

  private becomingReady(timeoutMs: number): Promise<void> {
    return within(timeoutMs, (resolve) => {
      this.waitingForReady.add(resolve);
      return () => this.waitingForReady.delete(resolve);
    }).catch(() => {
      throw this.isClosed ? new SseClosedError('the hub') : unavailable(this.lastError);
    });
  }

  private async reply<T>(call: Promise<T>, deadline: number): Promise<T> {
    try {
      const rest = deadline - performance.now();
      // A call that had to wait, or that a Cluster sends on, has less left than the connection
      // allows it.
      const isLimited = this.commandTimeoutMs > 0 && rest > this.commandTimeoutMs - 10;
      return await (isLimited ? call : limited(call, rest));
    } catch (error) {
      if (this.isClosed) throw new SseClosedError('the hub');
      const text = describe(error);
      // Nothing comes through this connection, or it leads to a server that is a replica now.
      const isUseless = /timed out|READONLY/i.test(text);
      if (isUseless && !this.isGivenUp && this.connection.status === 'ready') {
        this.isGivenUp = true;
        this.connection.disconnect(true);
      }
      throw error instanceof SseError ? error : unavailable(text, error);
    }
  }
}
