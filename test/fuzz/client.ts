import net from 'node:net';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Sent, Visit } from './requests.js';
import { ResponseReader, type Response } from './responses.js';
import { SECRET } from './world.js';

/** What the app, its platform and Node may answer. */
const STATUSES = new Set([
  200, 204, 400, 404, 405, 406, 408, 411, 413, 414, 415, 417, 426, 431, 505,
]);
const TYPES = new Set(['message', 'tick', 'state', 'echo', 'text', 'sse-gap', 'sse-end']);
const ID = /^(1\.[\w-]+\.[0-9a-z]+(~1\.[\w-]+\.[0-9a-z]+)*|sse-end)$/;

const DEADLINE_MS = 20_000;

/** One client: sends what its visit says, reads what comes, leaves, and judges. */
export class Client {
  /** Rejects with what is wrong with what came. */
  readonly done: Promise<void>;
  events = 0;
  private readonly reader: ResponseReader;
  private readonly socket: net.Socket;
  private text = '';

  constructor(
    port: number,
    private readonly visit: Visit,
  ) {
    this.reader = new ResponseReader(visit.requests.map(({ method }) => method));
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.done = this.run().catch((error: Error) => {
      const sent = JSON.stringify(visit.parts.join('')).replace(/(.)\1{99,}/g, '$1…');
      const got = JSON.stringify(this.text.slice(-2_000));
      throw new Error(`${error.message}\nsent:\n${sent}\ngot:\n${got}`, { cause: error });
    });
  }

  get responses(): readonly Response[] {
    return this.reader.all;
  }

  private async run(): Promise<void> {
    const { socket, visit } = this;
    let wasCut = false;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer')), DEADLINE_MS);
      const leave = (error?: Error): void => {
        clearTimeout(timer);
        if (error) reject(error);
        socket.destroy();
      };
      socket.on('data', (bytes: Buffer) => {
        try {
          this.text += bytes.toString('latin1');
          this.reader.feed(bytes);
          if (this.hasEnough()) leave();
        } catch (error) {
          leave(error as Error);
        }
      });
      socket.on('end', () => leave());
      // The app has cut a connection whose request it did not want to read to its end.
      socket.on('error', () => (wasCut = true));
      socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.send(leave);
    });
    if (!visit.isRude && !wasCut) this.judge();
  }

  private send(leave: () => void): void {
    const { socket, visit } = this;
    const [first = '', ...others] = visit.parts;
    socket.write(first, 'latin1', () => {
      for (const part of others) socket.write(part, 'latin1');
      if (visit.isRude) leave();
      else if (visit.isHalfClosed) socket.end();
    });
  }

  /** Everything was answered; a stream that does not end has at least begun. */
  private hasEnough(): boolean {
    const { requests, awaitsEvent } = this.visit;
    const last = this.responses.at(-1);
    if (last === undefined || this.responses.length < requests.length) return false;
    if (last.isComplete || !requests.at(-1)?.isLast) return last.isComplete;
    if (last.status !== 200 || last.headers.get('content-type') !== 'text/event-stream')
      return false;
    const body = Buffer.concat(last.body).toString();
    return awaitsEvent ? /^data: .*\n(id: .*\n)?\n/m.test(body) : body.includes('retry: ');
  }

  private judge(): void {
    const { requests } = this.visit;
    if (this.text.includes(SECRET)) throw new Error('the secret of a room nobody asked for');
    for (const [n, response] of this.responses.entries()) {
      // A damaged request may have become several.
      judge(response, requests[n] ?? { method: '', text: '', isLast: true });
      if (response.status === 200) this.events += judgeStream(response, requests[n]);
    }
    const last = this.responses.at(-1);
    const isOver = last === undefined ? this.isUnsure : isLastOfAll(last) || this.isUnsure;
    if (this.responses.length < requests.length && !isOver) throw new Error('unanswered');
  }

  /** What is not a whole request need not be answered. */
  private get isUnsure(): boolean {
    return this.visit.isHalfClosed || this.visit.requests.at(-1)?.status === undefined;
  }
}

const isLastOfAll = ({ status, headers }: Response): boolean =>
  status >= 400 || headers.get('connection') === 'close';

function judge({ status, headers }: Response, { status: expected }: Sent): void {
  if (!STATUSES.has(status) || (expected !== undefined && status !== expected)) {
    throw new Error(`status ${status}${expected === undefined ? '' : `, expected ${expected}`}`);
  }
  for (const [name] of headers) {
    if (name.startsWith('access-control-')) throw new Error(`a header ${name}`);
  }
  if (status === 200 && headers.get('content-type') !== 'text/event-stream') {
    throw new Error(`a response of type ${headers.get('content-type')}`);
  }
}

/** Answers how many events there are. */
function judgeStream({ body, isComplete }: Response, sent: Sent | undefined): number {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onError: (error) => {
      throw new Error(`no event stream: ${error.message}`);
    },
  });
  const text = new TextDecoder('utf-8', { fatal: isComplete }).decode(Buffer.concat(body));
  parser.feed(text);
  for (const event of events) judgeEvent(event, sent?.rooms);
  if (sent?.echo !== undefined && sent.method !== 'HEAD' && events[0]?.data !== sent.echo) {
    throw new Error(`the echo ${JSON.stringify(events[0]?.data)}`);
  }
  return events.length;
}

function judgeEvent(
  { event: type = 'message', id, data }: EventSourceMessage,
  rooms?: readonly string[],
): void {
  if (!TYPES.has(type)) throw new Error(`an event of type ${JSON.stringify(type)}`);
  if (id !== undefined && !ID.test(id))
    throw new Error(`an event with the id ${JSON.stringify(id)}`);
  if (type !== 'tick' && type !== 'state' && type !== 'sse-gap') return;
  const published = JSON.parse(data) as { rooms: string[] };
  if (rooms === undefined) return;
  const own = published.rooms.filter((room) => rooms.includes(room));
  const isOwn = type === 'tick' ? own.length > 0 : own.length === published.rooms.length;
  if (!isOwn) throw new Error(`an event of ${JSON.stringify(published.rooms)}`);
}
