// What the tests of `test/e2e/resume-*.spec.ts` share: streams of one hub, and clients that come
// back to them.
import { Controller, Get, Query } from '@nestjs/common';
import {
  Broadcaster,
  SseStream,
  type HubStreamOptions,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { serve, type Adapter } from './serve.js';
import type { TestStream } from './stream-client.js';

export type StreamOptions = HubStreamOptions<Record<string, unknown>>;

@Controller()
export class Streams {
  /** Of `/stream`. */
  options: StreamOptions = {};
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('stream') stream(@Query('rooms') rooms = 'main') {
    return this.hub.stream(rooms.split(','), this.options);
  }
  @Get('position') position() {
    return this.hub.position();
  }
}

/** An app with those streams; `/stream` has the options. */
export async function start(
  adapter: Adapter,
  sse: SseModuleOptions = {},
  options: StreamOptions = {},
) {
  const app = await serve(Streams, { adapter, sse });
  const streams = app.nest.get(Streams);
  streams.options = options;
  const { hub } = streams;
  const emit = (room: string, n: number): Promise<string> => hub.to(room).emit('n', n);
  const emitAll = async (room: string, from: number, to: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = from; n <= to; n++) ids.push(await emit(room, n));
    return ids;
  };
  const open = (path: string, lastEventId?: string): TestStream =>
    app.open(path, returning(lastEventId));
  return { app, streams, hub, open, emit, emitAll };
}

/** The request of a client that comes back with this cursor. */
export const returning = (lastEventId?: string): { headers?: Record<string, string> } =>
  lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } };

export const hasCursor = ({ cursor }: TestStream): boolean => cursor !== undefined;

/** The data of the next `count` events. */
export const numbers = async (stream: TestStream, count: number): Promise<unknown[]> =>
  (await stream.take(count)).map(({ data }) => data);

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

export const gap = (rooms: string[], reason: string) => ({
  type: 'sse-gap',
  id: undefined,
  data: { rooms, reason },
});
