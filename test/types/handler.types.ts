import { ParseIntPipe, RequestMethod } from '@nestjs/common';
import {
  Connection,
  LastEventId,
  SseConnection,
  SseStream,
  type SseMessage,
  type SseSource,
} from 'nestjs-eventstream';
import { of, type Observable } from 'rxjs';

export class Handlers {
  @SseStream() observable(): Observable<SseMessage> {
    return of({ data: 'x', id: 7 });
  }
  @SseStream('values') values(): Observable<number> {
    return of(1, 2);
  }
  @SseStream(['a', 'b']) async promise(): Promise<Observable<string>> {
    return of('x');
  }
  @SseStream('generator') async *generator(): AsyncGenerator<SseMessage> {
    yield { data: 1 };
  }
  @SseStream('inferred') async *inferred() {
    yield 1;
    yield { data: 'x' };
  }
  @SseStream('iterable') iterable(): AsyncIterable<string> {
    return this.iterable();
  }
  @SseStream('later') async later(): Promise<AsyncIterable<string>> {
    return this.iterable();
  }
  @SseStream('either') either(): SseSource {
    return of(1);
  }
  @SseStream('parameters') parameters(
    @LastEventId() after: string | undefined,
    @LastEventId(ParseIntPipe) row: number,
    @LastEventId(new ParseIntPipe({ optional: true })) optional: number | undefined,
    @LastEventId(ParseIntPipe, new ParseIntPipe()) both: number,
    @Connection() connection: SseConnection,
  ): Observable<unknown> {
    return of(after, row, optional, both, connection.id);
  }

  @SseStream('json', { negotiate: true }) json(): { no: number } | Observable<number> {
    return { no: 1 };
  }
  // @ts-expect-error without it a handler has to stream
  @SseStream('no-json', { negotiate: false }) noJson(): { no: number } {
    return { no: 1 };
  }

  // @ts-expect-error a number is no stream
  @SseStream('number') number(): number {
    return 1;
  }
  // @ts-expect-error nor is a promise of one
  @SseStream('promised') async promisedNumber(): Promise<number> {
    return 1;
  }
  // @ts-expect-error nor nothing, such as a forgotten return
  @SseStream('nothing') nothing(): void {}
  // @ts-expect-error a list is not asynchronous
  @SseStream('list') list(): string[] {
    return ['x'];
  }
  // @ts-expect-error a message alone is no stream
  @SseStream('message') message(): SseMessage {
    return { data: 'x' };
  }
  // @ts-expect-error a stream belongs to a method
  @SseStream('property') property = of(1);

  // @ts-expect-error a pipe is a class or an instance
  pipes(@LastEventId('int') _row: number): void {}
}

export class Options {
  @SseStream('all', {
    method: RequestMethod.POST,
    map: { data: 'message', type: 'kind', id: 'no', retry: 'retryMs' },
    keepAlive: { intervalMs: 5_000, event: { type: 'ping', data: { at: 1 } } },
    retry: { minMs: 1, maxMs: 2 },
    headers: { 'X-A': 'b' },
    serialize: (data, type) => `${String(data)} ${type ?? ''}`,
    onError: (error, connection) => ({ type: 'oops', data: [String(error), connection.id] }),
    onComplete: 'close',
    backpressure: { maxBufferedBytes: 1, stallTimeoutMs: false },
  })
  all(): Observable<number> {
    return of(1);
  }
  @SseStream('off', { keepAlive: false, retry: false, onError: () => {} })
  off(): Observable<number> {
    return of(1);
  }

  @SseStream('words', {
    controls: {
      gap: ({ rooms, reason }, connection) =>
        reason === 'unknown' ? 'end' : { data: [...rooms, connection.id] },
      error: ({ statusCode, message }) => ({ type: 'error', data: { statusCode, message } }),
      end: ({ reason }) => (reason === 'complete' ? { data: '[DONE]' } : false),
      open: false,
      rooms: ({ rooms }) => ({ data: rooms }),
    },
  })
  words(): Observable<number> {
    return of(1);
  }
  // @ts-expect-error a loss is told
  @SseStream('untold', { controls: { gap: false } })
  untold(): Observable<number> {
    return of(1);
  }
  // @ts-expect-error nor may its function leave it out
  @SseStream('untold-late', { controls: { gap: () => undefined } })
  untoldLate(): Observable<number> {
    return of(1);
  }

  // @ts-expect-error a keep-alive has no id
  @SseStream('ping', { keepAlive: { event: { type: 'ping', id: 1 } } })
  ping(): Observable<number> {
    return of(1);
  }
  // @ts-expect-error a misspelt option
  @SseStream('misspelt', { keepalive: false })
  misspelt(): Observable<number> {
    return of(1);
  }
  // @ts-expect-error a misspelt field
  @SseStream('misspelt-field', { map: { event: 'kind' } })
  misspeltField(): Observable<number> {
    return of(1);
  }
  // @ts-expect-error no such choice
  @SseStream('choice', { onComplete: 'stop' })
  choice(): Observable<number> {
    return of(1);
  }
  // @ts-expect-error serialize is synchronous
  @SseStream('asynchronous', { serialize: async () => 'x' })
  asynchronous(): Observable<number> {
    return of(1);
  }
}
