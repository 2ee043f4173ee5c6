import { afterEach, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { NEVER, of } from 'rxjs';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import {
  describeProxy,
  documented,
  startProxyServer,
  stopAllProxies,
  type ProxyOptions,
} from '../support/proxy-servers.js';
import { serve } from '../support/serve.js';
import { streamClient, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** Varnish is set by its VCL alone. */
const BARE = 'vcl 4.1;\nbackend app { .host = "127.0.0.1:3000"; }\n';
const COMPRESSES_EVERYTHING = 'sub vcl_backend_response { set beresp.do_gzip = true; }';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('room') room() {
    return this.hub.stream('room');
  }
  @SseStream('kept', { keepAlive: { intervalMs: 250 } }) kept() {
    return NEVER;
  }
  @SseStream('short') short() {
    return of('a');
  }
}

afterEach(() => stopAllProxies());

async function behind(options: Omit<ProxyOptions, 'appPort'> = {}) {
  const app = await serve(Streams);
  const { url } = await startProxyServer('varnish', { ...options, appPort: app.port });
  const open = (path: string, headers: Record<string, string> = {}): TestStream =>
    streamClient({ url: url + path, headers: { accept: 'text/event-stream', ...headers } });
  const hub = app.nest.get(Broadcaster);
  const connections = app.nest.get(SseConnections);
  return { app, url, open, hub, connections };
}

async function opened(stream: TestStream): Promise<TestStream> {
  await stream.until(({ text }) => text.endsWith('\n\n'));
  return stream;
}

describeProxy('varnish')('Varnish in front of an app', () => {
  it.each<[string, Omit<ProxyOptions, 'appPort'>]>([
    ['as the guide sets it', {}],
    ['that compresses everything else', { global: COMPRESSES_EVERYTHING }],
    ['with nothing set', { site: BARE }],
  ])('%s passes on each event before the next is sent', async (_title, options) => {
    const { open, hub } = await behind(options);
    const stream = await opened(open('/room', { 'accept-encoding': 'gzip' }));
    for (const data of [1, 2, 3]) {
      await hub.publish('room', { data });
      expect(await stream.next()).toMatchObject({ data });
    }
  });

  it('gives each client a stream of its own', async () => {
    const { open, connections } = await behind();
    const streams = await Promise.all(
      ['/room', '/room', '/room'].map((path) => opened(open(path))),
    );
    expect(connections.count).toBe(3);
    for (const stream of streams) stream.close();
  });

  it('tells the app with the next keep-alive that a client has left', async () => {
    const { open, connections } = await behind();
    const stream = await opened(open('/kept'));
    const [connection] = connections.list();
    stream.close();
    expect(await connection?.closed).toBe('client');
  });

  it('passes the last event ID on, and tells the client of the end', async () => {
    const { app, open, hub } = await behind();
    const id = await hub.publish('room', { data: '1' });
    await hub.publish('room', { data: '2' });
    const stream = open('/room', { 'last-event-id': id });
    expect(await stream.next()).toMatchObject({ data: 2 });
    await app.nest.close();
    await stream.ended;
  });

  it('holds a stream back where it compresses everything and nothing else is set', async () => {
    const { url, open, hub, connections } = await behind({
      site: BARE,
      global: COMPRESSES_EVERYTHING,
    });
    const stream = open('/room', { 'accept-encoding': 'gzip' });
    await until('the stream is open', () => connections.count === 1);
    await hub.publish('room', { data: 'held' });
    expect(await (await fetch(`${url}/short`)).text()).toContain('data: a\n\n');
    // No more than the header of gzip.
    expect(stream.text.length).toBeLessThanOrEqual(10);
    stream.close();
  });

  it('has the configuration that the guide shows', () => {
    const guide = new URL('../../docs/guide/proxies.md', import.meta.url);
    expect(readFileSync(guide, 'utf8')).toContain(`\n${documented('varnish')}\`\`\`\n`);
  });
});
