import { afterAll, describe, expect, it } from '@jest/globals';
import { Controller, Req, Sse, type MessageEvent, type Type } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { concatMap, from, interval, map, type Observable } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import type { TestEvent } from 'nestjs-eventstream/testing';
import { responded, streamClient } from '../support/stream-client.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { HABITS, type AnyResponse, type Habit, type Outcome } from './habits.js';

const SOURCES = ['observable', 'generator', 'hub'] as const;
type Source = (typeof SOURCES)[number];
const DECORATORS = { Sse, SseStream };
type Name = keyof typeof DECORATORS;

const wait = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms).unref());

function messages(habit: Habit): Observable<MessageEvent> {
  return interval(habit.everyMs ?? 5).pipe(map((n) => ({ data: dataOf(habit, n) as string })));
}

async function* generated(habit: Habit): AsyncGenerator<MessageEvent> {
  for (let n = 0; ; n++) {
    await wait(habit.everyMs ?? 5);
    yield { data: dataOf(habit, n) as string };
  }
}

function dataOf({ data = (n) => n }: Habit, n: number): unknown {
  return data(n);
}

/** One that has a route for each decorator and kind of source. */
function controllerOf(habit: Habit): Type {
  @Controller()
  class Streams {
    constructor(readonly hub: Broadcaster) {}
  }
  for (const name of Object.keys(DECORATORS) as Name[]) {
    for (const source of SOURCES) {
      const key = `${name}/${source}`;
      const method = {
        [key](this: Streams, request: object, response: AnyResponse) {
          habit.handler?.(response, request);
          if (source === 'observable') return messages(habit);
          if (source === 'hub') {
            return this.hub.stream('room').pipe(
              // A hub's data is made elsewhere: what depends on the request is added here.
              map((event) =>
                habit.data === undefined ? event : { ...event, data: dataOf(habit, 1) },
              ),
            );
          }
          return name === 'Sse' ? from(generated(habit)) : generated(habit);
        },
      };
      const descriptor = Object.getOwnPropertyDescriptor(method, key)!;
      Object.defineProperty(Streams.prototype, key, descriptor);
      Req()(Streams.prototype, key, 0);
      habit.response?.(Streams.prototype, key, 1);
      for (const decorate of [...(habit.decorators ?? []), DECORATORS[name](key)]) {
        (decorate as MethodDecorator)(Streams.prototype, key, descriptor);
      }
      Object.defineProperty(Streams.prototype, key, descriptor);
    }
  }
  return Streams;
}

const textOf = ({ data }: TestEvent): string =>
  typeof data === 'string' ? data : JSON.stringify(data);

/** Waits for two events, the end, or long enough. */
async function outcomeOf(app: TestApp, path: string, habit: Habit): Promise<Outcome> {
  const stream = streamClient({ url: `${app.url}/${path}` });
  const response = responded(stream).catch(() => ({ status: 0, headers: {} }));
  const over = Promise.race([stream.take(2), stream.closed, wait(5_000)]).catch(() => undefined);
  // As the other sources do, the hub has nothing at once: an event before Nest has sent the headers
  // would make some habits work by luck. Middleware may hold the headers back until there is one.
  await Promise.race([response, wait(500)]);
  const hub = app.nest.get(Broadcaster);
  const emitting = interval(habit.everyMs ?? 20)
    .pipe(concatMap((n) => hub.to('room').emit('message', n)))
    .subscribe();
  await over;
  emitting.unsubscribe();
  const { status, headers } = await Promise.race([
    response,
    wait(0).then(() => ({ status: 0, headers: {} })),
  ]);
  stream.close();
  const data = stream.events.slice(0, 2).map(textOf);
  return { status, headers, data };
}

const results = new Map<string, Record<Name, string[]>>();

function note(habit: Habit, name: Name, works: boolean, where: string): void {
  const known = results.get(habit.name) ?? { Sse: [], SseStream: [] };
  results.set(habit.name, known);
  if (!works) known[name].push(where);
}

const rows = HABITS.flatMap((habit) =>
  (habit.adapters ?? ADAPTERS).map((adapter): [string, Adapter, Habit] => [
    habit.name,
    adapter,
    habit,
  ]),
);

/** On the page: why a habit that works with `@Sse()` does not here. */
const moving = readFileSync(new URL('../../docs/guide/migrating.md', import.meta.url), 'utf8');
const [, table = ''] = /<!-- habits -->\n\n([\s\S]*?)\n\n/.exec(moving) ?? [];
const explained = new Set(
  table
    .split('\n')
    .slice(2)
    .map((line) => line.split(' | ')[0]?.replace(/^\| /, '').trim() ?? ''),
);

describe.each(rows)('%s on %s', (_name, adapter, habit) => {
  let app: TestApp;
  const start = async (): Promise<TestApp> => {
    app = await serve(controllerOf(habit), {
      adapter,
      ...(habit.module ? { module: habit.module } : {}),
      setup: (nest) => habit.setup?.(nest, adapter),
    });
    return app;
  };

  it.each(SOURCES)('is at home on a stream of a %s', async (source: Source) => {
    await start();
    const outcome = await outcomeOf(app, `SseStream/${source}`, habit);
    const ofNest = await outcomeOf(app, `Sse/${source}`, habit);
    const where = `${adapter}, ${source}`;
    note(habit, 'Sse', habit.works(ofNest), where);
    note(habit, 'SseStream', habit.works(outcome), where);
    const isWorse = habit.works(ofNest) && !habit.works(outcome);
    expect(isWorse && !explained.has(habit.name) ? { outcome, ofNest } : 'as well').toBe('as well');
  });
});

const { version } = createRequire(import.meta.url)('@nestjs/core/package.json') as {
  version: string;
};

it('has at least sixty rows', () => {
  expect(rows.length * SOURCES.length).toBeGreaterThanOrEqual(60);
});

/** Where it fails: everywhere, on a platform, or with some sources on it. */
function shown(failed: readonly string[], all: number): string {
  if (failed.length === 0) return 'works';
  if (failed.length === all) return 'fails';
  const places = ADAPTERS.map((adapter) => {
    const on = failed.filter((where) => where.startsWith(`${adapter}, `));
    return on.length === SOURCES.length ? [adapter] : on;
  });
  return `fails on ${places.flat().join('; ')}`;
}

it('gives the table of the guide, which is of Nest 12', () => {
  const lines = HABITS.flatMap((habit) => {
    const { Sse: nest, SseStream: here } = results.get(habit.name) ?? { Sse: [], SseStream: [] };
    const all = (habit.adapters ?? ADAPTERS).length * SOURCES.length;
    if (nest.length === here.length && nest.length === 0) return [];
    return [[habit.name, shown(nest, all), shown(here, all)]];
  });
  const page = table
    .split('\n')
    .slice(2)
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))
    .map((cells) => cells.slice(0, 3));
  expect(version.startsWith('12.') ? page : lines).toEqual(lines);
});

afterAll(() => results.clear());
