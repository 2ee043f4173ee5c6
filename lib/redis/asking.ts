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
 * on it. Calls of one script run in their order, because who emits twice without waiting expects
 * this.
 */
export class Asking {
  private readonly waitingForReady = new Set<() => void>();
  /** By their hashes: the scripts that this connection has sent in full. */
  private readonly known = new Set<string>();
  private readonly unanswered = new Set<Promise<unknown>>();
  /** The server has lost its scripts: resolves when all that it has refused is sent again. */
  private resending: Promise<void> | undefined;
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
      this.known.clear();
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
    const send = (isInFull: boolean): Promise<[unknown, void]> => {
      const running = isInFull
        ? connection.eval(script.lua, keys.length, ...params)
        : connection.evalsha(script.sha, keys.length, ...params);
      return Promise.all([running, wait()]);
    };
    const [reply] = await this.reply(this.inOrder(script, send, deadline), deadline);
    return reply;
  }

  close(): void {
    this.isClosed = true;
    this.connection.disconnect();
  }

  /** A call that the server refuses must not be overtaken by later calls. */
  private async inOrder<T>(
    script: Script,
    send: (isInFull: boolean) => Promise<T>,
    deadline: number,
  ): Promise<T> {
    while (this.resending !== undefined) await this.resending;
    const answer = send(!this.known.has(script.sha));
    this.known.add(script.sha);
    this.unanswered.add(answer);
    try {
      return await answer;
    } catch (error) {
      const why = describe(error);
      if (why.includes('NOSCRIPT')) {
        this.resending ??= this.resend();
        return await send(true);
      }
      // The connection broke before anything was sent.
      if (!why.includes("isn't writeable")) throw error;
      await this.becomingReady(deadline - performance.now());
      return await this.inOrder(script, send, deadline);
    } finally {
      this.unanswered.delete(answer);
    }
  }

  private async resend(): Promise<void> {
    this.known.clear();
    // Each of them is sent again before this goes on.
    await Promise.allSettled(this.unanswered);
    this.resending = undefined;
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
