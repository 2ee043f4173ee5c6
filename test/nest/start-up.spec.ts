import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, HttpCode, Render, ValidationPipe, type PipeTransform } from '@nestjs/common';
import { of } from 'rxjs';
import { Broadcaster, Connection, LastEventId, SseConnection, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';

/** As apps have them that trim what comes in: it takes each object apart. */
class TrimAll implements PipeTransform {
  transform(value: unknown): unknown {
    if (typeof value === 'string') return value.trim();
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, this.transform(part)]),
    );
  }
}

@Controller()
class Connected {
  // The class as a value: its type is known at run time.
  @SseStream('id')
  id(@Connection() connection: SseConnection, @LastEventId() after?: string) {
    return of({ data: { isConnection: connection instanceof SseConnection, after } });
  }
}

describe.each(ADAPTERS)('pipes of the app on %s', (adapter) => {
  it.each([
    ['validate custom decorators', new ValidationPipe({ validateCustomDecorators: true })],
    [
      'transform',
      new ValidationPipe({ validateCustomDecorators: true, transform: true, whitelist: true }),
    ],
    ['walk through values', new TrimAll()],
  ])('do not touch the connection (%s)', async (_title, pipe) => {
    const setup = (nest: { useGlobalPipes(pipe: PipeTransform): unknown }): void =>
      void nest.useGlobalPipes(pipe);
    const app = await serve(Connected, { adapter, setup });
    const { data } = await app.open('/id', { headers: { 'last-event-id': '7' } }).next();
    expect(data).toEqual({ isConnection: true, after: '7' });
  });
});

describe('an option that does nothing to a hub’s events', () => {
  @Controller()
  class Streams {
    constructor(private readonly hub: Broadcaster) {}
    @SseStream('with-map', { map: { data: 'text' } })
    map() {
      return this.hub.stream('room');
    }
    @SseStream('with-serialize', { serialize: () => 'own' })
    serialize() {
      return this.hub.stream('room');
    }
    @SseStream('neither', { map: { data: 'text' } })
    neither() {
      return of({ text: 'x' });
    }
  }

  it('is told with its remedy when the stream opens, once', async () => {
    const app = await serve(Streams);
    for (const path of ['/with-map', '/with-map', '/with-serialize', '/neither']) {
      const stream = app.open(path);
      await stream.until(({ text }) => text.startsWith(': connected'));
    }
    expect(app.logged).toEqual([
      expect.stringMatching(/`map` of the stream \/with-map has no effect .*map them after stream/),
      expect.stringMatching(/`serialize` of the stream \/with-serialize .*`serialize` for the hub/),
    ]);
  });
});

describe('a process among several on the memory log', () => {
  const { env } = process;
  afterEach(() => {
    process.env = env;
  });

  it('is told at start-up, once, with the remedy', async () => {
    const lines: string[] = [];
    const logger = {
      log: () => {},
      error: () => {},
      warn: (line: string) => void lines.push(line),
    };
    const start = (): Promise<unknown> =>
      serve(Connected, { override: (builder) => void builder.setLogger(logger) });
    process.env = { ...env, pm_id: '0', instances: '1' };
    await start();
    expect(lines).toEqual([]);
    process.env = { ...env, pm_id: '1', NODE_APP_INSTANCE: '1' };
    await start();
    await start();
    expect(lines).toEqual([expect.stringMatching(/run by PM2.*log: redisEventLog\(\{ url \}\)/)]);
  });
});

describe('a decorator with which no request could get a stream', () => {
  it.each([
    [
      HttpCode(204),
      '@HttpCode() of Base.quiet(): a response with status 204 has no body to stream; remove the decorator',
    ],
    [
      Render('page'),
      '@Render() of Base.quiet(): a stream is not rendered; remove the decorator, or use another route',
    ],
  ])('is refused at start-up', async (decorator, message) => {
    @Controller()
    class Base {
      @SseStream('quiet') @decorator quiet() {
        return of('x');
      }
    }
    await expect(serve(Base)).rejects.toThrow(message);
    @Controller()
    class Overridden extends Base {
      @SseStream('quiet') override quiet() {
        return of('y');
      }
    }
    const app = await serve(Overridden);
    expect(await app.open('/quiet').next()).toMatchObject({ data: 'y' });
  });
});
