import { HttpException, Logger } from '@nestjs/common';
import { isObservable, type Observable } from 'rxjs';
import {
  describe,
  preview,
  SseError,
  SseLimitError,
  SseNotStreamableError,
} from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import { newEvent, type HubFacts } from '../hub/new-event.js';
import type { SureLog } from '../hub/sure-log.js';
import type { StateRoom } from '../hub/state-room.js';
import type { NewEvent } from '../log/event-log.js';
import { toMessage } from '../nest/message.js';
import { parseCursor } from '../wire/cursor.js';
import { pageKey, Pages, type Page } from './pages.js';
import type { RunFailure, RunState } from './runs.options.js';

/**
 * Produces the messages of a run. Called once, in one process. When `signal` is aborted, the run
 * has ended, and what the producer still emits is ignored.
 * @publicApi
 */
export type RunProducer = (signal: AbortSignal) => RunSource | Promise<RunSource>;

/**
 * The messages of a run, as a handler of `@SseStream()` emits them: messages, or values that become
 * their `data`.
 * @publicApi
 */
export type RunSource = Observable<unknown> | AsyncIterable<unknown>;

/** How a production has ended. */
export interface Outcome {
  readonly state: Exclude<RunState, 'running'>;
  readonly error?: RunFailure;
}

/** What a production needs of its run. */
export interface ProducedRun {
  readonly id: string;
  readonly room: string;
  readonly maxBytes: number;
  /** Waits until this process may write. Rejects if the run is over. */
  mayWrite(): Promise<unknown>;
}

/** A page is written after this many messages, characters or milliseconds. */
const PAGE = { messages: 64, length: 16_384, ms: 5_000 };

const logger = new Logger('Sse');

/** The work of a run in the process that has started it. */
export class Production {
  private readonly stopping = new AbortController();
  private readonly pages = new Pages();
  private readonly pageRoom: StateRoom<Record<string, Page>>;
  /** Messages that wait to be appended, and then pages; one after the other. */
  private writing: Promise<unknown> = Promise.resolve();
  private bytes = 0;
  private unwritten = { messages: 0, length: 0 };
  private firstDirty = 0;
  private isFlushing = false;
  private cancelPage: (() => void) | undefined;
  private outcome: Outcome | undefined;

  constructor(
    readonly run: ProducedRun,
    private readonly log: SureLog,
    private readonly facts: HubFacts,
    private readonly time: Time,
    /** In which the first page was written. */
    private epoch: string,
  ) {
    this.pageRoom = log.room(run.room);
  }

  get count(): number {
    return this.pages.count;
  }

  /** Whether it has ended, by itself or by `stop()`. */
  get isOver(): boolean {
    return this.outcome !== undefined;
  }

  /** Ends it. What the producer emits from now on is ignored. */
  stop(state: Outcome['state']): void {
    this.outcome ??= { state };
    this.stopping.abort();
  }

  /** Resolves with the outcome when every message is in the log. */
  async work(producer: RunProducer): Promise<Outcome> {
    try {
      await this.consume(producer);
      this.outcome ??= { state: 'finished' };
    } catch (error) {
      if (this.outcome === undefined) {
        logger.warn(`The run ${preview(this.run.id)} failed: ${describe(error)}`);
        this.outcome = { state: 'failed', error: failureOf(error) };
      }
    } finally {
      this.stopping.abort();
      await this.writing.catch(() => {});
      this.cancelPage?.();
    }
    return this.outcome;
  }

  private async consume(producer: RunProducer): Promise<void> {
    const { signal } = this.stopping;
    const stopped = new Promise<never>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    stopped.catch(() => {});
    const source = await Promise.race([producer(signal), stopped]);
    if (isObservable(source)) await Promise.race([this.drain(source), stopped]);
    else if (isAsyncIterable(source)) await this.pull(source, stopped);
    else {
      const expected = 'the producer of a run must return an Observable or an AsyncIterable';
      throw new SseNotStreamableError(`${expected}, got ${preview(source)}`);
    }
    await this.writing;
  }

  /** Pulls the next value when the one before is in the log. */
  private async pull(source: AsyncIterable<unknown>, stopped: Promise<never>): Promise<void> {
    const iterator = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await Promise.race([iterator.next(), stopped]);
        if (done === true) return;
        await Promise.race([this.write(value), stopped]);
      }
    } catch (error) {
      // A pending iterator cannot be interrupted, and its later errors do not matter.
      void Promise.resolve(iterator.return?.()).catch(() => {});
      throw error;
    }
  }

  /** The backlog is bounded by `maxBytes`, too. */
  private drain(source: Observable<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const subscription = source.subscribe({
        next: (value) => {
          try {
            this.write(value).catch(reject);
          } catch (error) {
            reject(error);
          }
        },
        error: reject,
        complete: resolve,
      });
      const { signal } = this.stopping;
      signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true });
    });
  }

  /** Copies the message synchronously, so that the producer may change its objects later. */
  private write(value: unknown): Promise<unknown> {
    const event = this.eventOf(value);
    return this.later(() => this.append(event));
  }

  private eventOf(value: unknown): NewEvent {
    const { id: _id, ...message } = toMessage(value);
    const facts = { ...this.facts, keepsHistory: true, schemas: undefined };
    const event = newEvent(() => [this.run.room], message, {}, facts);
    this.bytes += Buffer.byteLength(event.body);
    const { maxBytes } = this.run;
    if (this.bytes <= maxBytes) return event;
    const remedy = 'the run got longer; set `maxBytes` in start(), or send links to large data';
    throw new SseLimitError('maxBytes', maxBytes, remedy, { isOption: false });
  }

  private later<T>(step: () => Promise<T>): Promise<T> {
    const done = this.writing.then(step);
    this.writing = done;
    done.catch(() => {});
    return done;
  }

  private async append(event: NewEvent): Promise<void> {
    if (this.isOver) return;
    await this.run.mayWrite();
    if (this.isOver) return;
    const { epoch, position } = await this.log.append(event);
    if (position === undefined) return;
    this.pages.add({ ...event, epoch, position });
    this.unwritten.messages++;
    this.unwritten.length += event.body.length;
    // The log has lost what was newest in it, maybe pages of this run too.
    if (this.epoch !== epoch) return this.writePages(0);
    const { messages, length } = this.unwritten;
    if (messages >= PAGE.messages || length >= PAGE.length) return this.writePages();
    this.cancelPage ??= this.time.after(PAGE.ms, () => this.flush());
  }

  /** Writes what is not in the pages yet, or the last page again, so that history knows of it. */
  flush(): void {
    if (this.isOver || this.isFlushing) return;
    this.isFlushing = true;
    this.later(() => {
      this.isFlushing = false;
      return this.writePages();
    }).catch(() => {});
  }

  /** Writes all pages again: the log may have lost some. */
  rewrite(): void {
    if (!this.isOver) this.later(() => this.writePages(0)).catch(() => {});
  }

  private async writePages(from = this.firstDirty): Promise<void> {
    this.cancelPage?.();
    this.cancelPage = undefined;
    if (this.isOver) return;
    await this.run.mayWrite();
    let cursor = '';
    for (const [no, page] of this.pages.from(from)) {
      cursor = await this.pageRoom.set(pageKey(no), page);
    }
    this.firstDirty = this.pages.last;
    this.unwritten = { messages: 0, length: 0 };
    this.epoch = epochOf(cursor);
  }

  /** Writes all pages for the last time. Resolves with the epoch of the first one. */
  async close(keepMs: number): Promise<string> {
    let first: string | undefined;
    for (const [no, page] of this.pages.from(0)) {
      const cursor = await this.pageRoom.set(pageKey(no), page, { ttlMs: keepMs });
      first ??= cursor;
    }
    return epochOf(first ?? '');
  }
}

function epochOf(cursor: string): string {
  return parseCursor(cursor)?.epoch ?? '';
}

/** What readers get to know. Errors may hold secrets. */
function failureOf(error: unknown): RunFailure {
  if (error instanceof HttpException) {
    return { statusCode: error.getStatus(), message: error.message };
  }
  if (error instanceof SseError && error.code === 'SSE_LIMIT') {
    return { statusCode: 500, message: error.message, code: error.code };
  }
  return { statusCode: 500, message: 'Internal server error' };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
