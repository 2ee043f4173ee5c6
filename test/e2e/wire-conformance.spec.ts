// The other tests read streams with the test kit, whose parser is the library's own. Here
// `eventsource-parser`, written by somebody else, reads the same bytes of real streams, and both
// have to find the same.
import { describe, expect, it } from '@jest/globals';
import { Controller, HttpException } from '@nestjs/common';
import { createParser } from 'eventsource-parser';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { concat, map, of, take, timer } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { jsonOrText } from '../../lib/wire/json-or-text.js';
import { Parser } from '../../lib/wire/parser.js';
import { ADAPTERS, serve, type TestApp } from '../support/serve.js';
import { streamClient } from '../support/stream-client.js';

/** Line breaks of all kinds, fields, and letters of two to four bytes. */
const HOSTILE = 'x\nevent: forged\rid: 9\r\n\r\ndata: forged\n\nretry: 1\n: c\n\0\u2028é✓𝄞';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('messages') messages() {
    return of(
      { type: 'lines', id: '1', data: 'one\n\n two \n' },
      { comment: ['a comment', ''], data: '' },
      { id: 'é✓𝄞', data: { nested: ['\n', null, 7] } },
      { retry: 1234 },
      { type: 'data', retry: 9, data: ': colons: everywhere:' },
      { data: HOSTILE, comment: HOSTILE },
      { id: '', data: 'no id any more' },
      'plain',
      7,
    );
  }
  @SseStream('fails') fails() {
    return concat(of('first'), timer(1).pipe(map(() => { throw new HttpException(HOSTILE, 400); }))); // prettier-ignore
  }
  @SseStream('gap') gap() {
    return this.hub.stream('room', { lastEventId: 'unknown', onGap: 'end' });
  }
  /** The cursors of a hub come with events, and in blocks of their own. */
  @SseStream('room', { keepAlive: { intervalMs: 5 }, onComplete: 'close' }) room() {
    const publish = (n: number): Promise<string> => this.hub.to('room').emit('n', { n, HOSTILE });
    void publish(0);
    setTimeout(() => void publish(1), 20);
    return this.hub.stream('room', { rewind: 5 }).pipe(take(2));
  }
}

interface Found {
  events: { type: string; data: string | undefined; id: string | undefined }[];
  retryMs: number | undefined;
}

function byKit(chunks: readonly Uint8Array[]): Found {
  const parser = new Parser();
  const blocks = decoded(chunks).flatMap((text) => [...parser.feed(text)]);
  // The other parser tells nothing of ids in blocks without data.
  const events = blocks.filter(({ data }) => data !== undefined);
  return { events, retryMs: parser.retryMs };
}

function byOther(chunks: readonly Uint8Array[]): Found {
  const found: Found = { events: [], retryMs: undefined };
  const parser = createParser({
    onEvent: ({ event: type = 'message', data, id }) => found.events.push({ type, data, id }),
    onRetry: (retryMs) => (found.retryMs = retryMs),
    onError: (error) => {
      throw error;
    },
  });
  for (const text of decoded(chunks)) parser.feed(text);
  return found;
}

function decoded(chunks: readonly Uint8Array[]): string[] {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true }));
}

/** The bytes of a stream that ends, as they come from the socket. */
function bytesOf(app: TestApp, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    http
      .get(app.url + path, { agent: false }, (response) => {
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks)));
      })
      .on('error', reject);
  });
}

/**
 * What another server, or a proxy, may make of the same stream. The last line is for a parser that
 * waits for what follows a CR.
 */
const WRITTEN: [string, (text: string) => string][] = [
  ['as it is', (text) => text],
  ['after a byte order mark', (text) => `\uFEFF${text}`],
  ['with CR', (text) => `${text.replaceAll('\n', '\r')}:\n`],
  ['with CRLF', (text) => `${text.replaceAll('\n', '\r\n')}:\n`],
  ['with the end cut off', (text) => text.slice(0, -1)],
];

const PATHS = ['messages', 'fails', 'gap', 'room'];
/** How many events each of them has, those of the library among them. */
const COUNTS: Record<string, number> = { messages: 8, fails: 3, gap: 1, room: 3 };

describe.each(ADAPTERS)('the bytes of a stream (%s)', (adapter) => {
  describe.each(PATHS)('of /%s', (path) => {
    // feature: 95
    it.each(WRITTEN)('are the same events to both parsers: %s', async (_title, write) => {
      const app = await serve(Streams, { adapter });
      const bytes = Buffer.from(write((await bytesOf(app, `/${path}`)).toString()));
      const whole = byOther([bytes]);
      expect(byKit([bytes])).toEqual(whole);
      const single = [...bytes].map((byte) => Uint8Array.of(byte));
      expect(byOther(single)).toEqual(whole);
      expect(byKit(single)).toEqual(whole);
      for (let at = 1; at < bytes.length; at++) {
        const halves = [bytes.subarray(0, at), bytes.subarray(at)];
        expect([at, byKit(halves)]).toEqual([at, whole]);
      }
    });

    it.each(WRITTEN)('are those events to a stream of the kit: %s', async (_title, write) => {
      const app = await serve(Streams, { adapter });
      const bytes = Buffer.from(write((await bytesOf(app, `/${path}`)).toString()));
      const server = http.createServer((_request, response) => response.end(bytes));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const stream = streamClient({ url: `http://127.0.0.1:${port}` });
      await stream.ended;
      server.close();
      const { events, retryMs } = byOther([bytes]);
      const parsed = events.map(({ data = '', ...event }) => ({
        ...event,
        data: jsonOrText(data),
      }));
      expect(stream.events).toEqual(parsed);
      expect(stream.retryMs).toBe(retryMs);
    });

    it('have all that was written', async () => {
      const app = await serve(Streams, { adapter });
      expect(byOther([await bytesOf(app, `/${path}`)]).events).toHaveLength(COUNTS[path]!);
    });
  });
});
