// A stream whose rooms change while it is open, and what tests ask of it.
import { Body, Controller, Headers, Post, Query } from '@nestjs/common';
import type { Observable } from 'rxjs';
import {
  Broadcaster,
  SseStream,
  type HubStreamOptions,
  type RoomsChange,
  type SseEvent,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { returning } from './resuming.js';
import { serve, type Adapter } from './serve.js';
import type { TestStream } from './stream-client.js';

export type StreamOptions = HubStreamOptions<Record<string, unknown>>;

@Controller()
class App {
  options: StreamOptions = {};
  /** What the handler does with the stream. */
  pipe = (events: Observable<SseEvent>): Observable<unknown> => events;
  constructor(readonly hub: Broadcaster) {}
  @SseStream('events') events(@Query('rooms') rooms: string) {
    const options = { changeable: true, ...this.options };
    return this.pipe(this.hub.stream(rooms.split(','), options));
  }
  /** Asks for a user if the request names one. */
  @Post('events') change(@Body() change: RoomsChange, @Headers('x-user') user?: string) {
    return this.hub.changeRooms(change, { user });
  }
}

/** An app with such a stream at `/events`, where its changes go, too. */
export async function start(
  adapter: Adapter,
  options: StreamOptions = {},
  sse: SseModuleOptions = {},
  pipe?: App['pipe'],
) {
  const app = await serve(App, { adapter, sse });
  const own = app.nest.get(App);
  own.options = options;
  if (pipe) own.pipe = pipe;
  const emit = (room: string, n: number): Promise<string> => own.hub.to(room).emit('n', n);
  const open = async (rooms: string, lastEventId?: string, more = {}) => {
    const headers = { ...returning(lastEventId).headers, ...more };
    const stream = app.open(`/events?rooms=${rooms}`, { headers });
    return { stream, ...(await opening(stream)) };
  };
  const change = (body: object, more = {}) =>
    fetch(`${app.url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...more },
      body: JSON.stringify(body),
    });
  return { app, hub: own.hub, emit, open, change };
}

interface Opening {
  readonly stream: string;
  readonly rooms: string[];
}

/** The token, and whatever came before it. */
export async function opening(stream: TestStream) {
  const before: unknown[] = [];
  for (;;) {
    const { type, data } = await stream.next();
    if (type === 'sse-open') {
      const { stream: token, rooms } = data as Opening;
      return { token, rooms, before };
    }
    before.push(type === 'n' ? Number(data) : `${type} ${JSON.stringify(data)}`);
  }
}

/** What comes next, up to and with the event that tells which rooms are in force. */
export async function upToChange(stream: TestStream): Promise<unknown[]> {
  const all: unknown[] = [];
  for (;;) {
    const { type, data } = await stream.next();
    all.push(type === 'n' ? Number(data) : data);
    if (type === 'sse-rooms') return all;
  }
}

export async function numbers(stream: TestStream, count: number): Promise<number[]> {
  return (await stream.take(count)).map(({ data }) => Number(data));
}
