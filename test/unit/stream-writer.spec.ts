import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HttpException, Logger, NotFoundException } from '@nestjs/common';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  concat,
  EMPTY,
  from,
  ignoreElements,
  NEVER,
  of,
  Subject,
  throwError,
  type Observable,
} from 'rxjs';
import type { SseStreamOptions } from '../../lib/connection/stream.options.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { SSE_CHANNELS } from '../../lib/ground/channels.js';
import { failLate, writeStream } from '../../lib/nest/stream-writer.js';
import { nextTurn, RecordingResponse, recordedStream } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

/** A stream, and what is written of this source. */
function write(source: Observable<unknown>, options: SseStreamOptions = {}) {
  const raw = new RecordingResponse();
  const settings = streamSettings({ retry: false }, options);
  const stream = recordedStream(openRegistry(), settings, raw);
  const begun = writeStream(source, stream);
  begun.catch(() => {});
  const text = (): string => raw.chunks.join('').replace(': connected\n\n', '');
  return { stream, raw, begun, text };
}

/** All of it, once its stream has ended. */
async function written(source: Observable<unknown>, options?: SseStreamOptions) {
  const { stream, raw, text } = write(source, options);
  const reason = await stream.closed;
  while (!raw.ended) await nextTurn();
  return [text(), reason];
}

const SERVER_ERROR =
  'event: sse-error\ndata: {"statusCode":500,"message":"Internal server error"}\n\n';
const END_OF_ERROR = 'event: sse-end\ndata: {"reason":"error"}\nid: sse-end\n\n';

/** Emits its first value, and goes on with this when the stream has begun. */
const later = (rest: Observable<unknown>): Observable<unknown> =>
  concat(of('first'), from(nextTurn().then(nextTurn)).pipe(ignoreElements()), rest);
const failing = (error: unknown): Observable<unknown> => later(throwError(() => error));

let logged: jest.SpiedFunction<Logger['error']>;
beforeEach(() => {
  jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => {});
  logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('what a source emits', () => {
  it.each<[string, Observable<unknown>, SseStreamOptions, string]>([
    ['nothing', EMPTY, {}, ''],
    ['values', of('a', 7, null), {}, 'data: a\n\ndata: 7\n\ndata: null\n\n'],
    ['messages', of({ type: 't', id: 1, data: 'a' }), {}, 'event: t\ndata: a\nid: 1\n\n'],
    ['values with a map', of({ text: 'a' }), { map: { data: 'text' } }, 'data: a\n\n'],
    [
      'values to a stream that is over for good',
      of('a'),
      { onComplete: 'close' },
      'data: a\n\nevent: sse-end\ndata: {"reason":"complete"}\nid: sse-end\n\n',
    ],
  ])(
    'is written in order, and its end is the stream’s: %s',
    async (_title, source, options, text) => {
      expect(await written(source, options)).toEqual([text, 'complete']);
      expect(logged).not.toHaveBeenCalled();
    },
  );

  it('is written as it comes', async () => {
    const source = new Subject<string>();
    const { stream, begun, text } = write(source);
    source.next('a');
    await begun;
    await nextTurn();
    expect([stream.state, text()]).toEqual(['open', 'data: a\n\n']);
    source.next('b');
    await nextTurn();
    expect(text()).toBe('data: a\n\ndata: b\n\n');
  });

  it('is not subscribed to any more when the client has left', async () => {
    const source = new Subject<string>();
    const { stream, raw, begun } = write(source);
    await begun;
    expect(source.observed).toBe(true);
    raw.destroy();
    expect(await stream.closed).toBe('client');
    expect(source.observed).toBe(false);
  });
});

describe('a stream that has not begun', () => {
  it('begins by itself where its source is quiet', async () => {
    const { stream, begun } = write(NEVER);
    expect(stream.state).toBe('opening');
    await begun;
    expect(stream.state).toBe('open');
  });

  it.each<[string, Observable<unknown>, SseStreamOptions]>([
    ['fails', throwError(() => new NotFoundException()), {}],
    ['emits what is no message', of({ data: 1, typ: 'x' }), {}],
    ['emits what its map refuses', of({ data: 'a' }), { map: { data: 'text' } }],
  ])(
    'is refused where its source %s: an exception filter answers',
    async (_title, source, options) => {
      const { stream, raw, begun } = write(source, options);
      await expect(begun).rejects.toBeInstanceOf(Error);
      await nextTurn();
      expect([stream.opening?.state, raw.head, raw.chunks]).toEqual(['refused', undefined, []]);
      expect(logged).not.toHaveBeenCalled();
    },
  );

  it('waits with `openWithinMs` for a source to fail, and is refused then', async () => {
    const source = new Subject<string>();
    const { begun, raw } = write(source, { openWithinMs: 60_000 });
    await nextTurn();
    await nextTurn();
    expect(raw.head).toBeUndefined();
    source.error(new NotFoundException());
    await expect(begun).rejects.toBeInstanceOf(NotFoundException);
    expect(raw.head).toBeUndefined();
  });
});

describe('a late error', () => {
  it.each<[string, unknown, string]>([
    ['of the app tells the client nothing of itself', new Error('a secret'), SERVER_ERROR],
    ['that is no error', 'a secret', SERVER_ERROR],
    [
      'with a body',
      new HttpException({ statusCode: 503, retry: 7 }, 503),
      'event: sse-error\ndata: {"statusCode":503,"retry":7}\n\n',
    ],
    [
      'with a text',
      new HttpException('away', 503),
      'event: sse-error\ndata: {"statusCode":503,"message":"away"}\n\n',
    ],
    ...[400, 401, 403, 404, 410].map((status): [string, unknown, string] => [
      `with the final status ${status}`,
      new HttpException('no', status),
      `event: sse-error\ndata: {"statusCode":${status},"message":"no"}\n\n${END_OF_ERROR}`,
    ]),
  ])('%s: it is sent, and ends the stream', async (_title, error, text) => {
    expect(await written(failing(error))).toEqual([`data: first\n\n${text}`, 'error']);
  });

  it('is in the log, and on the channel with its connection', async () => {
    const published: unknown[] = [];
    const listener = (facts: unknown): void => void published.push(facts);
    subscribe(SSE_CHANNELS.error, listener);
    const error = new Error('late');
    const { stream } = write(failing(error));
    await stream.closed;
    unsubscribe(SSE_CHANNELS.error, listener);
    expect(published).toMatchObject([{ error }]);
    expect(published).toEqual([expect.objectContaining({ connection: stream })]);
    expect(logged).toHaveBeenCalledTimes(1);
  });

  it.each<[string, SseStreamOptions['onError'], string, number]>([
    ['a message, which is sent', () => ({ type: 'sorry', data: 1 }), 'event: sorry\ndata: 1\n\n', 0],
    ['nothing, and nothing is sent', () => undefined, '', 0],
    ['an error of its own, which is logged', () => { throw new Error('hook'); }, '', 1],
    ['no message, which is logged', () => ({ type: 'a\nb', data: 1 }), '', 1],
  ])('with `onError`, which makes %s', async (_title, onError, text, lines) => {
    expect(await written(failing(new Error('late')), { onError })).toEqual([
      `data: first\n\n${text}`,
      'error',
    ]);
    expect(logged).toHaveBeenCalledTimes(lines);
  }); // prettier-ignore

  it('does nothing to a stream that has ended', async () => {
    const source = new Subject<string>();
    const { stream, begun, text } = write(source);
    await begun;
    stream.close();
    source.error(new Error('too late'));
    failLate(new Error('later still'), stream);
    await nextTurn();
    expect([await stream.closed, text()]).toEqual(['server', '']);
    expect(logged).not.toHaveBeenCalled();
  });

  it.each<[string, unknown]>([
    ['a value that is no message', { typ: 'x', data: 1 }],
    ['a value that cannot be encoded', { data: 1n }],
  ])('is %s, too', async (_title, value) => {
    expect(await written(later(of(value, 'never')))).toEqual([
      `data: first\n\n${SERVER_ERROR}`,
      'error',
    ]);
    expect(logged).toHaveBeenCalledTimes(1);
  });
});
