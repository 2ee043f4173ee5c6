import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** A connection that has not taken so much is cut: its client resumes, and loses nothing. */
const MAX_WAITING_BYTES = 1_048_576;

interface ReplyOptions {
  readonly session: string;
  readonly keepAliveMs: number | false;
  readonly onClosed: () => void;
}

/** The event stream that answers one request. */
export class Reply {
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly response: ServerResponse,
    { session, keepAliveMs, onClosed }: ReplyOptions,
  ) {
    this.onClosed(() => clearInterval(this.timer));
    this.onClosed(onClosed);
    // A broken connection is a client that has left.
    response.on('error', () => {});
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'mcp-session-id': session,
    });
    response.flushHeaders();
    if (keepAliveMs === false) return;
    this.timer = setInterval(() => this.write(': keep-alive\n\n'), keepAliveMs);
    this.timer.unref();
  }

  onClosed(listener: () => void): void {
    this.response.once('close', listener);
  }

  get isOver(): boolean {
    return this.response.destroyed || this.response.writableEnded;
  }

  /** An event with no data: the place to come back to. */
  sendId(id: string, retryMs: number | false): void {
    const retry = retryMs === false ? '' : `retry: ${retryMs}\n`;
    this.write(`${retry}data: \nid: ${id}\n\n`);
  }

  send(id: string, message: unknown): void {
    this.write(`event: message\ndata: ${JSON.stringify(message)}\nid: ${id}\n\n`);
    if (this.response.writableLength > MAX_WAITING_BYTES) this.cut();
  }

  /** As `send()`, of many: waits while the client takes them. */
  async sendAll(events: Iterable<readonly [id: string, message: unknown]>): Promise<void> {
    for (const [id, message] of events) {
      this.write(`event: message\ndata: ${JSON.stringify(message)}\nid: ${id}\n\n`);
      if (!this.response.writableNeedDrain || this.isOver) continue;
      const closed = new AbortController();
      const stop = (): void => closed.abort();
      this.response.once('close', stop);
      await once(this.response, 'drain', { signal: closed.signal }).catch(() => {});
      this.response.off('close', stop);
    }
  }

  /** For good: a client that has its response does not come back. */
  end(): void {
    if (!this.isOver) this.response.end();
  }

  /** For a client that has to come back. */
  cut(): void {
    this.response.destroy();
  }

  private write(text: string): void {
    if (!this.isOver) this.response.write(text);
  }
}
