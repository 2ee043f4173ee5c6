import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Headers,
  Injectable,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Server } from 'node:http';
import { NEVER } from 'rxjs';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { until } from '../support/until.js';
import { responded } from '../support/stream-client.js';

/** Who has no name is unknown, and who has left the company is refused. */
@Injectable()
class Staff implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: object }>();
    if (!('user' in headers)) throw new UnauthorizedException();
    return !('left' in headers);
  }
}

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('own') @UseGuards(Staff) own(@Headers('user') user: string) {
    return this.hub.stream(`user ${user}`);
  }
  @SseStream('quiet') quiet() {
    return NEVER;
  }
}

const request = (headers = ''): string => `GET /quiet HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** Sends it, and is ready to leave. */
function send(port: number, bytes: string): net.Socket {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  socket.resume();
  socket.write(bytes);
  return socket;
}

describe.each(ADAPTERS)('a cursor (%s)', (adapter) => {
  // feature: 72
  it('of somebody else gives nothing but what the handler asks for', async () => {
    const app = await serve(Streams, { adapter });
    const { hub } = app.nest.get(Streams);
    const before = await hub.position();
    await hub.to('user ada').emit('note', 'for ada');
    await hub.to('user bob').emit('note', 'for bob');
    const bob = app.open('/own', { headers: { user: 'bob', 'last-event-id': before } });
    expect(await bob.next()).toMatchObject({ data: 'for bob' });
    await hub.to('user bob').emit('note', 'the end');
    expect(await bob.next()).toMatchObject({ data: 'the end' });
    expect(bob.text).not.toContain('ada');
  });

  // feature: 72
  it('without a name is answered by 401 in JSON, and nothing is opened', async () => {
    const app = await serve(Streams, { adapter });
    const { hub } = app.nest.get(Streams);
    const before = await hub.position();
    await hub.to('user ada').emit('note', 'for ada');
    const opened: unknown[] = [];
    app.nest.get(SseConnections).opened$.subscribe((connection) => opened.push(connection));
    const stranger = app.open('/own', { headers: { 'last-event-id': before } });
    const { status, headers } = await responded(stranger);
    expect([status, headers['content-type']]).toEqual([
      401,
      expect.stringContaining('application/json'),
    ]);
    expect(JSON.parse(await stranger.ended)).toEqual({ statusCode: 401, message: 'Unauthorized' });
    expect([opened, hub.rooms()]).toEqual([[], []]);
  });

  // feature: 72
  it('opens nothing that a guard has closed meanwhile', async () => {
    const app = await serve(Streams, { adapter });
    const { hub } = app.nest.get(Streams);
    const stream = app.open('/own', { headers: { user: 'eve' } });
    await stream.until(({ text }) => text.includes('id: '));
    const seen = await hub.to('user eve').emit('note', 'one');
    await stream.next();
    stream.close();
    await hub.to('user eve').emit('note', 'two');
    const headers = { user: 'eve', left: 'yesterday', 'last-event-id': seen };
    const back = app.open('/own', { headers });
    expect((await responded(back)).status).toBe(403);
    expect(await back.ended).not.toContain('two');
  });
});

describe.each(ADAPTERS)('a client that takes all it can (%s)', (adapter) => {
  const start = async () => {
    const app = await serve(Streams, { adapter, sse: { keepAlive: { intervalMs: 50 } } });
    return { app, connections: app.nest.get(SseConnections) };
  };

  it('opens a thousand streams on one socket, and takes all of them along', async () => {
    const { app, connections } = await start();
    const socket = send(app.port, request().repeat(1_000));
    await until('all are open', () => connections.count === 1_000);
    socket.destroy();
    await until('none is left', () => connections.count === 0);
    expect(app.logged).toEqual([]);
  });

  it('gets as many of them as `maxRequestsPerSocket` says', async () => {
    const { app, connections } = await start();
    (app.nest.getHttpServer() as Server).maxRequestsPerSocket = 10;
    const socket = send(app.port, request().repeat(100));
    await until('some are open', () => connections.count >= 10);
    // What comes on another socket is read after all of these.
    await app.open('/none').ended;
    expect(connections.count).toBe(10);
    socket.destroy();
    await until('none is left', () => connections.count === 0);
  });

  it('is missed at the next keep-alive where a body that nobody reads hides that it left', async () => {
    const { app, connections } = await start();
    const body = 'x'.repeat(10_000_000);
    const socket = send(app.port, request(`Content-Length: ${body.length}\r\n`) + body);
    await until('it is open', () => connections.count === 1);
    socket.destroy();
    await until('it is gone', () => connections.count === 0);
    expect(app.logged).toEqual([]);
  });
});
