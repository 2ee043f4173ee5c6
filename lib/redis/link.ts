import { SseClosedError } from '../ground/errors.js';
import { Asking, type RunOptions } from './asking.js';
import { CALL_TIMEOUT_MS, connectionFactory, type CopyClient } from './client.js';
import { Listening, type LinkListener } from './listening.js';
import type { RedisEventLogOptions } from './redis.options.js';
import type { Script } from './script.js';
import { checkServer } from './server.js';

/**
 * Three connections to Redis: for commands, for large reads, and for the subscription. Publishes
 * must neither wait for large reads nor fail with them.
 */
export class Link {
  private copy: CopyClient | undefined;
  private asking: Asking | undefined;
  private reading: Asking | undefined;
  private listening: Listening | undefined;
  private isClosed = false;
  /** With sharded Pub/Sub, only processes that follow a hub in the event's slot receive it. */
  private isSharded = false;

  constructor(
    private readonly channel: string,
    private readonly options: RedisEventLogOptions,
    private readonly listener: LinkListener,
  ) {}

  get publishCommand(): string {
    return this.isSharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /** @throws SseError `SSE_LOG_UNAVAILABLE` or `SSE_OPTIONS`, within 5 s */
  async open(): Promise<void> {
    this.copy = await connectionFactory(this.options);
    const asking = new Asking(this.copy());
    this.asking = asking;
    this.reading = new Asking(this.copy());
    try {
      asking.connect();
      await asking.started();
      const info = String(await asking.call(CALL_TIMEOUT_MS, 'INFO'));
      this.isSharded = checkServer(info, this.options);
      if (this.isClosed) throw new SseClosedError('the hub');
      this.reading.connect();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Resolves when messages arrive. @throws SseError `SSE_LOG_UNAVAILABLE`, within 5 s */
  async listen(): Promise<void> {
    const { copy, isSharded } = this;
    if (copy === undefined || this.isClosed) throw new SseClosedError('the hub');
    const connect = () => copy({ isSharded });
    this.listening = new Listening(this.channel, connect, isSharded, this.listener);
    await this.listening.start();
  }

  /** Restarts the subscription on a new connection. */
  resubscribe(): void {
    this.listening?.restart();
  }

  /**
   * Runs a script. With `replicas`, waits until this many have what it wrote.
   * @throws SseError `SSE_LOG_UNAVAILABLE` within 2 s; SseClosedError
   */
  ask(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    replicas = 0,
  ): Promise<unknown> {
    return this.run(this.asking, script, keys, args, { replicas, timeoutMs: CALL_TIMEOUT_MS });
  }

  /**
   * Runs a script with a large reply.
   * @throws SseError `SSE_LOG_UNAVAILABLE` within `timeoutMs`; SseClosedError
   */
  read(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    timeoutMs: number,
  ): Promise<unknown> {
    return this.run(this.reading, script, keys, args, { timeoutMs });
  }

  close(): void {
    this.isClosed = true;
    this.asking?.close();
    this.reading?.close();
    this.listening?.close();
  }

  private async run(
    connection: Asking | undefined,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    options: RunOptions,
  ): Promise<unknown> {
    if (connection === undefined) throw new SseClosedError('the hub');
    return connection.run(script, keys, args, options);
  }
}
