// Clients that take no event streams, and handlers that answer without one.
import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Headers, HttpCode, RequestMethod, Res } from '@nestjs/common';
import {
  acceptsEventStream,
  Connection,
  SseConnections,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import { EMPTY, NEVER, of } from 'rxjs';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

/** What both platforms' responses can do. */
interface Response {
  status(code: number): Response;
  header(name: string, value: string): Response;
  send(body: object): unknown;
}

@Controller()
class Routes {
  calls = 0;
  @SseStream('stream') stream() {
    this.calls++;
    return of('a');
  }
  @SseStream('held') held() {
    return NEVER;
  }
  @SseStream('either', { negotiate: true }) either(@Headers('accept') accept?: string) {
    this.calls++;
    return acceptsEventStream(accept) ? of('a') : { list: ['a'] };
  }
  @SseStream('always', { negotiate: true }) always() {
    return of('a');
  }
  @SseStream('whatever', { ignoreAccept: true }) whatever() {
    return of('a');
  }
  @SseStream('rpc', { method: RequestMethod.POST, negotiate: true })
  async rpc(@Body() body: { ask: string }, @Res({ passthrough: true }) response: Response) {
    if (body.ask === 'nothing') response.status(202);
    if (body.ask === 'list') response.header('x-session', '7');
    if (body.ask === 'text') return 'text';
    return body.ask === 'nothing' ? undefined : body.ask === 'list' ? ['a'] : of('a');
  }
  @SseStream('by-hand', { negotiate: true })
  byHand(@Res() response: Response, @Headers('accept') accept?: string) {
    if (acceptsEventStream(accept)) return of('a');
    response.status(203).send({ list: ['a'] });
    return undefined;
  }
  @SseStream('over') over(@Res({ passthrough: true }) response: Response) {
    response.status(204).header('x-why', 'over');
    return EMPTY;
  }
  @SseStream('over-later') async overLater(@Res({ passthrough: true }) response: Response) {
    response.status(204).header('x-why', 'over');
    return NEVER;
  }
  @SseStream('accepted') @HttpCode(202) accepted() {
    return of('a');
  }
}

describe.each(ADAPTERS)('a client and its Accept header (%s)', (adapter) => {
  const start = async () => {
    const app = await serve(Routes, { adapter });
    const ask = async (path: string, accept?: string, init: RequestInit = {}) => {
      const headers = { ...(init.headers as object), ...(accept === undefined ? {} : { accept }) };
      const response = await fetch(`${app.url}${path}`, { ...init, headers });
      return { response, type: response.headers.get('content-type'), text: await response.text() };
    };
    const post = (body: object, accept = 'application/json, text/event-stream') =>
      ask('/rpc', accept, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });
    return { app, ask, post };
  };

  it.each([undefined, '*/*', 'text/*', 'text/event-stream', 'application/json, */*;q=0.1'])(
    'of %p gets the stream',
    async (accept) => {
      const { ask } = await start();
      for (const path of ['/stream', '/either', '/always']) {
        const { response, text } = await ask(path, accept);
        expect([response.status, text]).toEqual([200, expect.stringContaining('data: a\n\n')]);
      }
    },
  );

  it.each(['application/json', 'text/html', 'text/event-stream;q=0', '*/*, text/event-stream;q=0'])(
    'of %p gets 406, and the handler is not called',
    async (accept) => {
      const { app, ask } = await start();
      const { response, text } = await ask('/stream', accept);
      expect(response.status).toBe(406);
      expect(JSON.parse(text)).toMatchObject({
        statusCode: 406,
        message: `this route answers with text/event-stream, which the header "Accept: ${accept}" excludes`,
      });
      expect([app.nest.get(Routes).calls, app.nest.get(SseConnections).count]).toEqual([0, 0]);
    },
  );

  it('gets the stream from a route that ignores it', async () => {
    const { ask } = await start();
    const { response, type, text } = await ask('/whatever', 'application/json');
    expect([response.status, type]).toEqual([200, expect.stringContaining('text/event-stream')]);
    expect(text).toContain('data: a\n\n');
  });

  it('gets JSON from a route that has both', async () => {
    const { app, ask } = await start();
    const { response, type, text } = await ask('/either', 'application/json');
    expect([response.status, type]).toEqual([200, expect.stringContaining('application/json')]);
    expect(JSON.parse(text)).toEqual({ list: ['a'] });
    expect(response.headers.get('vary')).toMatch(/Accept/i);
    expect([app.nest.get(Routes).calls, app.nest.get(SseConnections).count]).toEqual([1, 0]);
  });

  it('gets what the handler sends itself', async () => {
    const { app, ask } = await start();
    const { response, text } = await ask('/by-hand', 'application/json');
    expect([response.status, text]).toEqual([203, '{"list":["a"]}']);
    expect((await ask('/by-hand')).text).toContain('data: a\n\n');
    expect([app.logged, app.nest.get(SseConnections).count]).toEqual([[], 0]);
  });

  it('gets 406 where the handler has only a stream for it', async () => {
    const { app, ask } = await start();
    expect((await ask('/always', 'application/json')).response.status).toBe(406);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });

  it('gets JSON, text, a stream, or a status alone from one POST route', async () => {
    const { app, post } = await start();
    const list = await post({ ask: 'list' });
    expect([list.response.status, list.text]).toEqual([200, '["a"]']);
    expect(list.response.headers.get('x-session')).toBe('7');
    expect((await post({ ask: 'text' })).text).toBe('text');
    const nothing = await post({ ask: 'nothing' });
    expect([nothing.response.status, nothing.text]).toEqual([202, '']);
    expect((await post({ ask: 'stream' })).text).toContain('data: a\n\n');
    expect(app.nest.get(SseConnections).count).toBe(0);
    expect(app.logged).toEqual([]);
  });

  it.each(['/over', '/over-later'])(
    'is told by 204 of %s that there is no stream',
    async (path) => {
      const { app, ask } = await start();
      const { response, text } = await ask(path, 'text/event-stream');
      expect([response.status, text]).toEqual([204, '']);
      expect(response.headers.get('x-why')).toBe('over');
      expect(app.nest.get(SseConnections).count).toBe(0);
    },
  );

  it('gets a stream with the status of @HttpCode()', async () => {
    const { ask } = await start();
    const { response, text } = await ask('/accepted');
    expect([response.status, text]).toEqual([202, expect.stringContaining('data: a\n\n')]);
  });

  it('that takes only JSON is told by a status that all places are taken', async () => {
    const app = await serve(Routes, { adapter, sse: { limits: { maxConnections: 1 } } });
    const held = app.open('/held');
    await responded(held);
    const ask = (accept: string) => fetch(`${app.url}/either`, { headers: { accept } });
    expect((await ask('application/json')).status).toBe(503);
    expect((await ask('text/event-stream')).status).toBe(200);
    held.close();
  });
});

describe.each(ADAPTERS)('a handler that asks for time before it answers (%s)', (adapter) => {
  const start = async () => {
    let answer = (): void => {};
    let isAsked = (): void => {};
    const asked = new Promise<void>((resolve) => (isAsked = resolve));
    const answered = new Promise<void>((resolve) => (answer = resolve));
    @Controller()
    class Slow {
      @SseStream('slow', { negotiate: true }) async slow(@Connection() connection: SseConnection) {
        isAsked();
        await answered;
        connection.close();
        return { list: ['a'] };
      }
      @SseStream('sends', { negotiate: true }) async sends(
        @Connection() connection: SseConnection,
      ) {
        await connection.send({ data: 'a' });
        return { list: ['a'] };
      }
    }
    return { app: await serve(Slow, { adapter }), answer, asked };
  };

  it('still answers while the app closes', async () => {
    const { app, answer, asked } = await start();
    const accept = 'application/json';
    const response = fetch(`${app.url}/slow`, { headers: { accept, connection: 'close' } });
    await asked;
    const closed = app.nest.close();
    answer();
    expect(await (await response).json()).toEqual({ list: ['a'] });
    await closed;
  });

  it('sends nothing to a client that takes no event stream: 406', async () => {
    const { app } = await start();
    const response = await fetch(`${app.url}/sends`, { headers: { accept: 'application/json' } });
    expect(response.status).toBe(406);
  });

  it('ends a stream that it has begun, and then answers with something else', async () => {
    const { app } = await start();
    const stream = app.open('/sends');
    expect(await stream.ended).toContain('event: sse-error');
    expect(app.nest.get(SseConnections).count).toBe(0);
  });
});
