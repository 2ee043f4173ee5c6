import { describe } from '../ground/errors.js';
import { afterLimit } from '../ground/time-limit.js';
import { START_TIMEOUT_MS } from './asking.js';
import type { Connection } from './client.js';
import { isFinal, startError } from './server.js';

/** Receives the messages and the state of a subscription. */
export interface LinkListener {
  message(text: string): void;
  /** From now on messages arrive; earlier ones may be missing. */
  subscribed(): void;
  /** No messages arrive, until `subscribed()`. */
  away(why: string): void;
}

/**
 * The subscription to one channel. It reconnects by itself, but messages from in between are lost.
 */
export class Listening {
  private connection: Connection | undefined;
  private isClosed = false;
  private lastError: string | undefined;

  constructor(
    private readonly channel: string,
    private readonly connect: () => Connection,
    private readonly isSharded: boolean,
    private readonly listener: LinkListener,
  ) {}

  /** Resolves when messages arrive. @throws SseError `SSE_LOG_UNAVAILABLE`, within 5 s */
  start(): Promise<void> {
    const connection = this.connect();
    this.connection = connection;
    const isOurs = (): boolean => this.connection === connection && !this.isClosed;
    connection.on('error', (error: Error & { lastNodeError?: Error }) => {
      this.lastError = describe(error.lastNodeError ?? error);
    });
    connection.on(this.isSharded ? 'smessage' : 'message', (_channel: string, text: string) => {
      if (isOurs()) this.listener.message(text);
    });
    connection.on('close', () => {
      if (isOurs()) this.listener.away(this.lastError ?? 'the connection was closed');
    });
    return new Promise<void>((resolve, reject) => {
      const cancel = afterLimit(START_TIMEOUT_MS, () => reject(startError(this.lastError)));
      connection.on('ready', () => {
        this.subscribe(connection)
          .then(() => {
            cancel();
            if (isOurs()) this.listener.subscribed();
            return resolve();
          })
          // The next connection tries again.
          .catch((error: unknown) => {
            this.lastError = describe(error);
            if (isFinal(this.lastError)) reject(startError(this.lastError));
          });
      });
      // The listeners of 'error' and 'close' handle it.
      connection.connect().catch(() => {});
    });
  }

  /** Restarts the subscription on a new connection. */
  restart(): void {
    this.connection?.disconnect();
    this.start().catch(() => {});
  }

  close(): void {
    this.isClosed = true;
    this.connection?.disconnect();
  }

  private subscribe(connection: Connection): Promise<unknown> {
    const { channel } = this;
    return this.isSharded ? connection.ssubscribe(channel) : connection.subscribe(channel);
  }
}
