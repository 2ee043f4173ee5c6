import { describe, SseClosedError, SseError } from '../ground/errors.js';
import type { Connection } from './client.js';
import type { Script } from './script.js';
import { isFinal, startError } from './server.js';
import { limited, unavailable, within } from './waits.js';

const WAIT_TIMEOUT_MS = 1_000;
/** How long a start waits for a Redis that is still starting. */
export const START_TIMEOUT_MS = 5_000;

/** Options of one script run. */
export interface RunOptions {
  /** Waits until this many replicas have what the script wrote. */
  readonly replicas?: number;
  readonly timeoutMs: number;
}

/**
 * One connection for commands. It reconnects by itself; during that, calls wait, but not beyond
 * their time limit. If a reply does not arrive in time, the connection is dropped, with all calls
 * on it.
 */
export class Asking {
  private readonly waitingForReady = new Set<() => void>();
  private isClosed = false;
  /** The connection is useless, and its disconnect is under way. */
  private isGivenUp = false;
  private lastError: string | undefined;

  constructor(private readonly connection: Connection) {
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

  /** Waits for a Redis that is still starting. Fails at once if waiting cannot help. */
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

  /** Sends one command. @throws SseError as `run` */
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
    // Sent right behind the script, without waiting for its reply: `WAIT` covers what this
    // connection has written so far.
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
      // The connection broke before anything was sent.
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
      return await limited(call, deadline - performance.now());
    } catch (error) {
      if (this.isClosed) throw new SseClosedError('the hub');
      const text = describe(error);
      // The connection is dead, or leads to a server that has become a replica.
      const isUseless = /timed out|READONLY/i.test(text);
      if (isUseless && !this.isGivenUp && this.connection.status === 'ready') {
        this.isGivenUp = true;
        this.connection.disconnect(true);
      }
      throw error instanceof SseError ? error : unavailable(text, error);
    }
  }
}
