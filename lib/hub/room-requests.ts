import { randomBytes } from 'node:crypto';
import { HttpException } from '@nestjs/common';
import { describe, preview, SseError, SseLimitError } from '../ground/errors.js';
import { SseRoomsError } from '../ground/rooms-error.js';
import { isAddress, type PeerChannel } from './peer-channel.js';
import { roomList } from './rooms.js';

/**
 * A change of the rooms of an open stream, as its client sends it.
 * @publicApi
 */
export interface RoomsChange {
  /** The token of the stream, from its `sse-open`. */
  readonly stream: string;
  /** The rooms that join. Those that it has already stay as they are. */
  readonly join?: readonly string[];
  /** The rooms that leave. Those that it does not have are ignored. */
  readonly leave?: readonly string[];
}

/**
 * What `Broadcaster.changeRooms()` resolves with.
 * @publicApi
 */
export interface RoomsInForce {
  /** The rooms that the stream has now. */
  readonly rooms: string[];
}

/**
 * Who asks for a change of rooms.
 * @publicApi
 */
export interface RoomsChangeOptions {
  /**
   * The user who asks, as `identify` names users: only streams of this user are changed. Set it if
   * tokens could come into other hands.
   * @default none: whoever has the token may ask
   */
  user?: string | undefined;
}

/** A stream whose rooms can change. */
export interface ChangeableStream {
  readonly user: string | undefined;
  /** Resolves with the rooms in force. */
  change(join: readonly string[], leave: readonly string[]): Promise<string[]>;
}

interface Request extends RoomsChangeOptions {
  readonly secret: string;
  readonly join: readonly string[];
  readonly leave: readonly string[];
}

type Answer = { readonly rooms: string[] } | { readonly status: number; readonly message: string };

/** Another version of this library may have other words. */
const VERSION = 'rooms 1';

/** How long another process may take to answer. */
const ANSWER_TIMEOUT_MS = 5_000;

const NO_STREAM =
  'no open stream has this token; take the one of the newest `sse-open`, and ask again';

/** Finds the stream of a token, in whatever process it is. Each hub has one. */
export class RoomRequests {
  private readonly streams = new Map<string, ChangeableStream>();
  private readonly calls = new Map<number, (answer: Answer) => void>();
  private isListening = false;

  constructor(private readonly peers: PeerChannel) {}

  /** Returns the token of a new stream. */
  add(stream: ChangeableStream): string {
    this.listen();
    const secret = randomBytes(16).toString('base64url');
    this.streams.set(secret, stream);
    return `${this.peers.address}.${secret}`;
  }

  remove(token: string): void {
    this.streams.delete(token.slice(token.indexOf('.') + 1));
  }

  /**
   * Changes the rooms of a stream. Resolves with the rooms in force.
   * @throws HttpException, whose `cause` is an SseRoomsError
   */
  async change(change: RoomsChange, options: RoomsChangeOptions): Promise<string[]> {
    try {
      return await this.tryToChange(change, options);
    } catch (cause) {
      if (!(cause instanceof SseRoomsError)) throw cause;
      const { statusCode, message, code } = cause;
      throw new HttpException({ statusCode, message, code }, statusCode, { cause });
    }
  }

  private async tryToChange(change: RoomsChange, { user }: RoomsChangeOptions): Promise<string[]> {
    const { stream, join, leave } = checked(change);
    const [address = '', secret = ''] = stream.split('.');
    const request = { secret, user, join, leave };
    const isHere = address === this.peers.address;
    const answer = await (isHere ? this.answer(request) : this.ask(request, address));
    if ('rooms' in answer) return answer.rooms;
    throw new SseRoomsError(answer.status, answer.message);
  }

  private async answer({ secret, user, join, leave }: Request): Promise<Answer> {
    const stream = this.streams.get(secret);
    if (stream === undefined) return { status: 404, message: NO_STREAM };
    if (user !== undefined && stream.user !== user) {
      return {
        status: 403,
        message: 'the stream is of another user; ask with a token of your own',
      };
    }
    try {
      return { rooms: await stream.change(join, leave) };
    } catch (error) {
      return { status: statusOf(error), message: messageOf(error) };
    }
  }

  private async ask(request: Request, address: string): Promise<Answer> {
    this.listen();
    const call = this.peers.nextNumber();
    return new Promise((resolve) => {
      const done = (answer: Answer): void => {
        clearTimeout(timer);
        this.calls.delete(call);
        resolve(answer);
      };
      const late = { status: 503, message: 'the process of the stream does not answer; ask again' };
      const timer = setTimeout(() => done(late), ANSWER_TIMEOUT_MS).unref();
      this.calls.set(call, done);
      const failed = (error: unknown): void => done({ status: 503, message: describe(error) });
      this.send({ ask: request, call }, address).catch(failed);
    });
  }

  private async send(message: object, to: string): Promise<void> {
    const { address: from } = this.peers;
    await this.peers.send(JSON.stringify({ v: VERSION, from, ...message }), to);
  }

  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    this.peers.listen((text) => this.heard(text));
  }

  private heard(text: string): void {
    const message = parsed(text);
    if (message === undefined) return;
    const { ask, answer, call, from } = message;
    if (answer !== undefined) this.calls.get(call)?.(answer);
    if (ask === undefined) return;
    const reply = async (): Promise<void> =>
      this.send({ answer: await this.answer(ask), call }, from);
    // Who asks sees that no answer comes.
    reply().catch(() => {});
  }
}

/** Also for what untyped code passes on from a request. */
function checked(change: RoomsChange): Required<RoomsChange> {
  const { stream, join = [], leave = [] } = Object(change) as Partial<RoomsChange>;
  if (typeof stream !== 'string' || !/^[\w-]{8}\.[\w-]{22}$/.test(stream)) {
    if (typeof stream === 'string') throw new SseRoomsError(404, NO_STREAM);
    const expected = 'expected { stream, join, leave } with the token of the stream';
    throw new SseRoomsError(400, `${expected}, got ${preview(change)}`);
  }
  return { stream, join: listOf('join', join), leave: listOf('leave', leave) };
}

function listOf(what: string, rooms: unknown): string[] {
  if (!Array.isArray(rooms)) {
    throw new SseRoomsError(400, `${what}: expected a list of rooms, got ${preview(rooms)}`);
  }
  if (rooms.length === 0) return [];
  try {
    return roomList(rooms as string[]);
  } catch (error) {
    throw new SseRoomsError(400, describe(error), { cause: error });
  }
}

function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof SseRoomsError) return error.statusCode;
  if (error instanceof SseLimitError) return error.limit === 'maxPerRoom' ? 503 : 400;
  if (error instanceof SseError && error.code === 'SSE_CLOSED') return 404;
  if (error instanceof SseError && error.code === 'SSE_CONFLICT') return 409;
  return error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE' ? 503 : 500;
}

/** What an app throws in `authorize` may be meant for its log only. */
function messageOf(error: unknown): string {
  const isTold = error instanceof SseError || error instanceof HttpException;
  return isTold ? describe(error) : 'the rooms were not changed, because of an error of the app';
}

interface Message {
  readonly v: string;
  readonly from: string;
  readonly call: number;
  readonly ask?: Request;
  readonly answer?: Answer;
}

function parsed(text: string): Message | undefined {
  try {
    const message = JSON.parse(text) as Message;
    return message.v === VERSION && isAddress(message.from) ? message : undefined;
  } catch {
    return undefined;
  }
}
