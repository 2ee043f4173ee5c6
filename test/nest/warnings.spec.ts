// What the log says, how often, and that one kind of line keeps no other from it.
import { expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  UseFilters,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { concat, map, mergeMap, Subject, take, throwError, type Observable } from 'rxjs';
import { Broadcaster, SseStream, type PublishedEvent } from 'nestjs-eventstream';
import { serve, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** When the app does something too late. */
const LATER = Symbol('later');

@Injectable()
class SetsLate implements NestInterceptor {
  constructor(@Inject(LATER) private readonly later: Subject<void>) {}
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context
      .switchToHttp()
      .getResponse<{ header(name: string, value: string): void }>();
    this.later.pipe(take(1)).subscribe(() => response.header('x-late', '1'));
    return next.handle();
  }
}

@Injectable()
class ThrowsLate implements NestInterceptor {
  constructor(@Inject(LATER) private readonly later: Subject<void>) {}
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const late = this.later.pipe(mergeMap(() => throwError(() => new Error('the audit failed'))));
    return concat(next.handle(), late);
  }
}

@Catch()
class AnswersAll implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<{ json(body: object): void }>().json({ wrong: true });
  }
}

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @UseInterceptors(SetsLate)
  @SseStream('jobs/:id')
  job() {
    return this.hub.stream('jobs');
  }
  @SseStream('mapped/:id', { map: { data: 'text' } })
  mapped() {
    return this.hub.stream('jobs');
  }
  @UseFilters(AnswersAll)
  @UseInterceptors(ThrowsLate)
  @SseStream('filtered')
  filtered() {
    return this.hub.stream('jobs');
  }
  @SseStream('assigned')
  assigned() {
    return this.hub.stream('a').pipe(map((event) => Object.assign(event, { data: 7 })));
  }
  @SseStream('replayed')
  replayed() {
    const events = this.hub.stream('a', { rewind: 1 });
    return events.pipe(map((event) => Object.assign(event, { data: 7 })));
  }
  @SseStream('cloned')
  cloned() {
    const clone = (event: PublishedEvent): PublishedEvent => {
      const copy = Object.create(Object.getPrototypeOf(event) as object) as PublishedEvent;
      return Object.assign(copy, event, { data: 8 });
    };
    return this.hub.stream('a').pipe(map(clone));
  }
}

async function start() {
  const later = new Subject<void>();
  const app = await serve(Streams, {
    module: { providers: [{ provide: LATER, useValue: later }] },
  });
  const open = async (path: string) => {
    const stream = app.open(path);
    await stream.until(({ text }) => text.includes('id: '));
    return stream;
  };
  return { app, later, open };
}

const linesWith = ({ logged }: TestApp, text: string): string[] =>
  logged.filter((line) => line.includes(text));

it('a route has one line, whatever its parameters are, and keeps no other from the log', async () => {
  const { app, later, open } = await start();
  for (let id = 0; id < 110; id++) await open(`/jobs/${id}`);
  later.next();
  await open('/mapped/1');
  expect(linesWith(app, 'has already begun')).toEqual([
    expect.stringContaining('GET /jobs/:id has already begun'),
  ]);
  expect(linesWith(app, '`map` of the stream /mapped/:id')).toHaveLength(1);
}, 30_000);

it('an exception filter that answers too late has one line', async () => {
  const { app, later, open } = await start();
  await open('/filtered');
  later.next();
  await until('a line', () => linesWith(app, 'has already begun').length > 0);
  expect(linesWith(app, 'has already begun')).toEqual([expect.stringContaining('AnswersAll')]);
});

it('an event that is assigned to names the remedy, live and before the stream begins', async () => {
  const { app, open } = await start();
  const hub = app.nest.get(Broadcaster);
  const live = await open('/assigned');
  await hub.to('a').emit('n', 1);
  expect(await live.next()).toMatchObject({ type: 'sse-error' });
  expect((await responded(app.open('/replayed'))).status).toBe(500);
  const remedies = linesWith(app, 'send a copy');
  expect(remedies.map((line) => /The stream (\S+)/.exec(line)?.[1])).toEqual([
    '/assigned',
    '/replayed',
  ]);
});

it('a clone of an event is sent as it was changed', async () => {
  const { app, open } = await start();
  const stream = await open('/cloned');
  await app.nest.get(Broadcaster).to('a').emit('n', 1);
  expect(await stream.next()).toMatchObject({ type: 'n', data: 8 });
});
