import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  ForbiddenException,
  GoneException,
  HttpException,
  Param,
  ParseIntPipe,
  NotFoundException,
  UnauthorizedException,
} from '@nestjs/common';
import { concat, defer, of, throwError, timer, mergeMap, type Observable } from 'rxjs';
import {
  Broadcaster,
  Connection,
  SseConnections,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function refuse(): Observable<never> {
  throw new NotFoundException('no such job');
}

@Controller()
class Refusals {
  constructor(private readonly hub: Broadcaster) {}

  @SseStream('generator/:ms')
  async *generator(@Param('ms', ParseIntPipe) ms: number) {
    await wait(ms);
    if (ms < 1_000) throw new NotFoundException('no such job');
    yield 1;
  }

  @SseStream('quiet')
  async *quiet() {
    await new Promise(() => {});
    yield 1;
  }

  @SseStream('patient/:ms', { openWithinMs: 5_000 })
  patient(@Param('ms', ParseIntPipe) ms: number) {
    return timer(ms).pipe(mergeMap(() => throwError(() => new NotFoundException('no such job'))));
  }

  @SseStream('at-once', { openWithinMs: false })
  async *atOnce() {
    await wait(20);
    yield refuse();
  }

  @SseStream('defer')
  deferred() {
    return defer(async () => {
      await Promise.resolve();
      throw new GoneException('it is over');
    });
  }

  @SseStream('snapshot')
  snapshot() {
    return this.hub.stream('room', {
      snapshot: async () => {
        await wait(10);
        throw new ForbiddenException('not yours');
      },
    });
  }

  @SseStream('late/:status')
  late(@Param('status', ParseIntPipe) status: number) {
    return concat(
      of('so far'),
      throwError(() => new HttpException('no', status)),
    );
  }

  @SseStream('own', { onError: () => ({ type: 'failed', data: 'own' }) })
  own() {
    return concat(
      of('so far'),
      throwError(() => new UnauthorizedException()),
    );
  }

  @SseStream('itself')
  async itself(@Connection() connection: SseConnection) {
    await connection.send({ data: 'so far' });
    return refuse();
  }
}

const END = 'event: sse-end\ndata: {"reason":"error"}\nid: sse-end\n\n';

describe.each(ADAPTERS)('a refusal that is found late on %s', (adapter) => {
  it.each([
    ['/generator/0', 404],
    ['/generator/10', 404],
    ['/patient/100', 404],
    ['/defer', 410],
    ['/snapshot', 403],
  ])('still has its own status (%s)', async (path, status) => {
    const app = await serve(Refusals, { adapter });
    expect((await responded(app.open(path))).status).toBe(status);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });

  it.each([['/generator/300'], ['/at-once']])(
    'is told in the stream once that is open (%s)',
    async (path) => {
      const app = await serve(Refusals, { adapter });
      const text = await app.open(path).ended;
      expect(text).toMatch(/^: connected\nretry: \d+\n\nevent: sse-error\ndata: .*no such job/);
      expect(text.endsWith(END)).toBe(true);
    },
  );

  it('does not hold a quiet source back', async () => {
    const app = await serve(Refusals, { adapter });
    const stream = app.open('/quiet');
    await stream.until(({ text }) => text.startsWith(': connected'));
    expect((await responded(stream)).status).toBe(200);
  });

  it.each([400, 401, 403, 404, 410])('keeps browsers away after %d', async (status) => {
    const app = await serve(Refusals, { adapter });
    const text = await app.open(`/late/${status}`).ended;
    expect(
      text.endsWith(
        `data: so far\n\nevent: sse-error\ndata: {"statusCode":${status},"message":"no"}\n\n${END}`,
      ),
    ).toBe(true);
    const again = app.open('/late/404', { headers: { 'last-event-id': 'sse-end' } });
    expect((await responded(again)).status).toBe(204);
  });

  it.each([429, 500, 503])('lets clients come back after %d', async (status) => {
    const app = await serve(Refusals, { adapter });
    expect(await app.open(`/late/${status}`).ended).not.toContain('sse-end');
  });

  it('keeps them away after a message of onError, too', async () => {
    const app = await serve(Refusals, { adapter });
    expect((await app.open('/own').ended).endsWith(`event: failed\ndata: own\n\n${END}`)).toBe(
      true,
    );
  });

  it('ends the stream of a handler that had sent something itself', async () => {
    const app = await serve(Refusals, { adapter });
    const text = await app.open('/itself').ended;
    expect(text).toContain('data: so far\n\nevent: sse-error\ndata: {"message":"no such job"');
    expect(text.endsWith(END)).toBe(true);
  });

  it('closes a client of this library', async () => {
    const app = await serve(Refusals, { adapter });
    const stream = connect(`${app.url}/late/404`);
    stream.on('message', () => {});
    expect(await stream.closed).toMatchObject({ reason: 'server' });
  });
});
