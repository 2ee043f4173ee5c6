import { HttpException } from '@nestjs/common';
import type { Stream } from '../connection/stream.js';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import type { HubEvent } from '../log/event.js';
import type { Cursor } from '../wire/cursor.js';
import { parseLastEventId } from '../wire/last-event-id.js';
import type { SseMessage } from '../wire/frame.js';
import type { FollowOptions } from './runs.options.js';
import type { RunEnd, Transcript } from './transcript.js';

/** How long a response waits to know whether there is a run. */
const OPEN_MS = 5_000;

/** What a reader reads: the run, kept in this process as long as somebody does. */
export interface ReadRun {
  readonly id: string;
  readonly transcript: Transcript;
  /** Resolves when the transcript has all messages up to now. */
  readonly loaded: Promise<void>;
  /** Resolves when the transcript has what its run has up to here, if the log ever was here. */
  deliveredUpTo(cursor: Cursor): Promise<void>;
  /** The reader has left. */
  release(): void;
}

/**
 * One reader of a run. The connection pulls from it, so it waits nowhere but in its client's
 * socket.
 */
export class RunReader implements AsyncIterator<HubEvent | SseMessage> {
  private run: ReadRun | undefined;
  /** The index of its next message. */
  private at = 0;
  /** What is left of what tells the end. */
  private last: SseMessage[] | undefined;
  private isDone = false;

  constructor(
    private readonly open: () => Promise<ReadRun>,
    private readonly options: FollowOptions,
    private readonly connection: Stream | undefined,
  ) {}

  async next(): Promise<IteratorResult<HubEvent | SseMessage>> {
    while (!this.isDone) {
      const { transcript } = this.run ?? (await this.begin());
      if (this.isDone) break;
      const message = transcript.messages[this.at];
      if (message !== undefined) return { done: false, value: this.map(message, this.at++) };
      const { end } = transcript;
      if (end === undefined) {
        this.requireHere(transcript);
        await transcript.changed;
        continue;
      }
      this.last ??= this.endOf(transcript, end);
      const last = this.last.shift();
      if (last === undefined) break;
      return { done: false, value: last };
    }
    this.leave();
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<HubEvent>> {
    this.leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  private async begin(): Promise<ReadRun> {
    const opened = this.open();
    // A client gets the status that says that there is no run, even if the log is slow.
    this.connection?.opening?.hold(settledWithin(OPEN_MS, opened));
    const run = await opened;
    this.run = run;
    if (this.isDone) run.release();
    try {
      await run.loaded;
      if (!this.isDone) this.at = await this.placeIn(run.transcript);
    } catch (error) {
      this.leave();
      throw error;
    }
    return run;
  }

  private leave(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.run?.release();
  }

  /** Nothing may look like an end that is none: clients would not return. */
  private requireHere({ gone }: Transcript): void {
    if (gone === undefined) return;
    // Streams end one after the other when the app shuts down, and their clients return.
    if (gone instanceof SseClosedError && this.connection !== undefined) return;
    this.leave();
    throw gone;
  }

  private async placeIn(transcript: Transcript): Promise<number> {
    const { connection } = this;
    const { after } = this.options;
    if (after !== undefined) return after;
    const brought = connection?.lastEventId;
    if (brought === undefined || brought === '') return 0;
    const { cursors } = parseLastEventId(brought);
    for (const cursor of cursors) {
      // Another process may have been faster than this one.
      // mutant: a reader that is ahead of its process is not waited for
      if (transcript.end === undefined) await this.run?.deliveredUpTo(cursor);
      // mutant: a reader that returns begins again
      const index = transcript.indexAfter(cursor.position);
      if (index !== undefined) return index;
    }
    // The id is of another run, or made up: the client gets all of this one.
    this.sendGap('unknown');
    return 0;
  }

  private sendGap(reason: string): void {
    const { connection } = this;
    if (connection === undefined || connection.state === 'closed') return;
    connection.sendControl('sse-gap', { rooms: [this.run?.id], reason });
  }

  private map(message: HubEvent, index: number): HubEvent | SseMessage {
    const { map } = this.options;
    return map === undefined ? message : map(message, index);
  }

  private endOf(transcript: Transcript, { status, isCut }: RunEnd): SseMessage[] {
    if (isCut) this.sendGap('epoch');
    const { error, state } = status;
    // As if the handler had thrown: the starter's answer has a status too.
    if (error !== undefined && transcript.messages.length === 0) {
      throw new HttpException(error, error.statusCode);
    }
    const { end } = this.options;
    if (end !== undefined) return [end(status) ?? []].flat();
    return [{ type: 'run-end', data: { state, ...(error !== undefined && { error }) } }];
  }
}

function settledWithin(ms: number, promise: Promise<unknown>): Promise<void> {
  const late = new Deferred<void>();
  const timer = setTimeout(() => late.resolve(), ms).unref();
  promise.catch(() => {}).finally(() => late.resolve());
  return late.promise.finally(() => clearTimeout(timer));
}
