import { describe, expect, it } from '@jest/globals';
import { Controller, ForbiddenException, UseGuards, type CanActivate } from '@nestjs/common';
import { NEVER } from 'rxjs';
import { SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

class Closed implements CanActivate {
  canActivate(): never {
    throw new ForbiddenException();
  }
}

const ORIGIN = 'https://app.example';

describe.each(ADAPTERS)('a page of another origin (%s)', (adapter) => {
  const start = async (cors: boolean) => {
    let calls = 0;
    @Controller()
    class Streams {
      @SseStream('stream') stream() {
        calls++;
        return NEVER;
      }
      @SseStream('closed') @UseGuards(Closed) closed() {
        return NEVER;
      }
    }
    const app = await serve(Streams, {
      adapter,
      setup: (nest) =>
        cors &&
        nest.enableCors({
          origin: [ORIGIN],
          credentials: true,
          allowedHeaders: ['Last-Event-ID'],
        }),
    });
    const ask = async (path: string, headers: Record<string, string>, method = 'GET') => {
      const stream = app.open(path, { method, headers });
      const response = await responded(stream);
      stream.close();
      return response;
    };
    return { ask, calls: () => calls, connections: app.nest.get(SseConnections) };
  };
  const preflight = {
    origin: ORIGIN,
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'last-event-id',
  };

  // feature: 75
  // fault: 20
  it('is given nothing unless the app says so', async () => {
    const { ask, calls } = await start(false);
    const answers = [
      await ask('/stream', { origin: ORIGIN }),
      await ask('/closed', { origin: ORIGIN }),
      await ask('/stream', preflight, 'OPTIONS'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 404]);
    for (const { headers } of answers) {
      expect(Object.keys(headers).filter((name) => /^access-control|^vary$/.test(name))).toEqual(
        [],
      );
    }
    expect(calls()).toBe(1);
  });

  // feature: 75
  it('may come with credentials and a last event ID where the app says so', async () => {
    const { ask, calls, connections } = await start(true);
    const { status, headers } = await ask('/stream', preflight, 'OPTIONS');
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'Last-Event-ID',
    });
    expect(headers['vary']).toMatch(/\bOrigin\b/i);
    // Answered without the handler, and without a stream.
    expect([calls(), connections.count]).toEqual([0, 0]);

    for (const path of ['/stream', '/closed']) {
      const answer = await ask(path, { origin: ORIGIN, 'last-event-id': 'x' });
      expect(answer.status).toBe(path === '/closed' ? 403 : 200);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-allow-credentials': 'true',
      });
      expect(answer.headers['vary']).toMatch(/\bOrigin\b/i);
    }
  });

  // feature: 75
  it('of an origin that the app does not name is given nothing', async () => {
    const { ask } = await start(true);
    for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'null']) {
      const { headers } = await ask('/stream', { origin });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
      // Or a cache would give one origin's answer to another.
      expect(headers['vary']).toMatch(/\bOrigin\b/i);
    }
  });
});
