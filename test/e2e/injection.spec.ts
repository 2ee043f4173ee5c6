// Text that clients and other systems have written goes out by many ways: by none does it become a
// field, an event, a chunk or a header. What the frame alone does is in test/unit/frame.spec.ts and
// frame.property.spec.ts.
import { describe, expect, it } from '@jest/globals';
import { Controller, Header, HttpException, Res, type Type } from '@nestjs/common';
import { concat, map, NEVER, of, timer } from 'rxjs';
import {
  Broadcaster,
  Connection,
  SseConnections,
  SseStream,
  type SseConnection,
  type SseMessage,
} from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

/** Line breaks of all kinds, fields, the end of a chunk and of a body, half a character. */
const TEXT =
  'x\nevent: forged\nid: 9\n\ndata: forged\r\r: c\r\n\r\nretry: 1\0\u2028"\\ \ud800\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n';
/**
 * As a client reads it in text, where kinds of line breaks are not told apart and half a character
 * is none.
 */
const READ = TEXT.replace(/\r\n|\r/g, '\n').replace('\ud800', '\ufffd');
/** The name of a room is refused with half a character. */
const ROOM = TEXT.replace('\ud800', '');

const late = (error: unknown) =>
  concat(of('first'), timer(1).pipe(map(() => { throw error; }))); // prettier-ignore

@Controller()
class Texts {
  constructor(
    readonly hub: Broadcaster,
    readonly connections: SseConnections,
  ) {}
  @SseStream('data') data() {
    return of({ data: TEXT });
  }
  @SseStream('json') json() {
    return of({ data: { [TEXT]: TEXT } });
  }
  @SseStream('plain') plain() {
    return of(TEXT);
  }
  @SseStream('comment') comment() {
    return of({ comment: TEXT }, { comment: [TEXT, TEXT], data: 'x' });
  }
  @SseStream('send') send(@Connection() connection: SseConnection) {
    void connection.comment(TEXT);
    void connection.send({ data: TEXT });
    connection.close(TEXT);
    return NEVER;
  }
  @SseStream('room') room() {
    const events = this.hub.stream([ROOM, 'the end']);
    setImmediate(() => {
      void this.hub.to(ROOM).emit('text', TEXT);
      void this.hub.publish(ROOM, { comment: TEXT, data: [TEXT] });
      this.hub.closeRoom(ROOM, TEXT);
    });
    return events;
  }
  @SseStream('gap') gap() {
    return this.hub.stream(ROOM, { lastEventId: TEXT, onGap: 'end' });
  }
  @SseStream('snapshot') snapshot() {
    const snapshot = async () => {
      setImmediate(() => this.connections.closeAll(TEXT));
      return [{ data: TEXT }];
    };
    return this.hub.stream(ROOM, { snapshot });
  }
  @SseStream('exception') exception() {
    return late(new HttpException(TEXT, 400));
  }
  @SseStream('body') body() {
    return late(new HttpException({ [TEXT]: TEXT }, 400));
  }
  @SseStream('hook', { onError: () => ({ comment: TEXT, data: TEXT }) }) hook() {
    return late(new Error(TEXT));
  }
  @SseStream('complete', { onComplete: 'close' }) complete() {
    return of({ data: TEXT });
  }
}

/** After a final status. */
const STAY_AWAY = { type: 'sse-end', id: 'sse-end', data: { reason: 'error' } };

/**
 * Lines that are a field or a comment, and the blank ones. A client passes over others without a
 * word.
 */
const ONLY_FIELDS = /^(?:(?:(?:data|event|id|retry)?: [^\r\n]*|(?:data|event|id)?:)?\n)*$/;

describe.each(ADAPTERS)('text from anywhere (%s)', (adapter) => {
  // feature: 2
  it.each<[string, object[]]>([
    ['data', [{ data: READ }]],
    ['json', [{ data: { [TEXT]: TEXT } }]],
    ['plain', [{ data: READ }]],
    ['comment', [{ data: 'x' }]],
    ['send', [{ data: READ }]],
    [
      'room',
      [
        { type: 'text', id: expect.stringMatching(/^1\.[\w-]+\.\w+$/), data: READ },
        { id: expect.stringMatching(/^1\.[\w-]+\.\w+$/), data: [TEXT] },
      ],
    ],
    ['gap', [{ type: 'sse-gap', data: { rooms: [ROOM], reason: 'unknown' } }]],
    ['snapshot', [{ data: READ }]],
    [
      'exception',
      [
        { data: 'first' },
        { type: 'sse-error', data: { statusCode: 400, message: TEXT } },
        STAY_AWAY,
      ],
    ],
    ['body', [{ data: 'first' }, { type: 'sse-error', data: { [TEXT]: TEXT } }, STAY_AWAY]],
    ['hook', [{ data: 'first' }, { data: READ }]],
    [
      'complete',
      [{ data: READ }, { type: 'sse-end', id: 'sse-end', data: { reason: 'complete' } }],
    ],
  ])('stays what it is, by the way of %s', async (path, expected) => {
    const app = await serve(Texts, { adapter });
    const stream = app.open(`/${path}`);
    expect(await stream.ended).toMatch(ONLY_FIELDS);
    expect(stream.events).toEqual(
      expected.map((event) => ({ type: 'message', id: undefined, ...event })),
    );
  });
});

const BREAKS: [string, string][] = [
  ['CR', 'a\rb'],
  ['LF', 'a\nevent: forged'],
  ['NUL', 'a\0b'],
  ['half a character', 'a\ud800b'],
];
const FIELDS = ['type', 'id'] as const;
const CASES = BREAKS.flatMap(([name, text]) =>
  FIELDS.map((field) => [name, field, { data: 'never', [field]: text }] as const),
);

/** The only message that may be seen is `first`. */
function refusing(message: SseMessage): { Refusing: Type; codes: string[] } {
  const codes: string[] = [];
  const tell = ({ code }: { code: string }): void => void codes.push(code);
  const { data: _, ...fields } = message;
  @Controller()
  class Refusing {
    constructor(private readonly hub: Broadcaster) {}
    @SseStream('first') first() {
      return of(message);
    }
    @SseStream('later') later() {
      return of('first', message, 'never');
    }
    @SseStream('map', { map: { data: 'text', type: 'type', id: 'id' } }) map() {
      return concat(of({ text: 'first' }), of({ text: 'never', ...fields }));
    }
    @SseStream('hook', { onError: () => message }) hook() {
      return late(new Error('for the hook'));
    }
    @SseStream('send') send(@Connection() connection: SseConnection) {
      connection.send(message).catch(tell);
      void connection.send({ data: 'first' });
      setImmediate(() => connection.close());
      return NEVER;
    }
    @SseStream('emit') emit(@Connection() connection: SseConnection) {
      this.hub.publish('room', message).catch(tell);
      void this.hub.publish('room', { data: 'first' });
      setImmediate(() => connection.close());
      return this.hub.stream('room', { rewind: 5 });
    }
    @SseStream('snapshot') snapshot() {
      const snapshot = async () => [{ data: 'first' }, message, { data: 'never' }];
      return this.hub.stream('room', { snapshot });
    }
  }
  return { Refusing, codes };
}

describe.each(ADAPTERS)('what must not be in a field of one line (%s)', (adapter) => {
  // fault: 1
  it.each(CASES)(
    '%s in the %s is refused, and nothing of it is written',
    async (_, field, message) => {
      const { Refusing, codes } = refusing(message);
      const app = await serve(Refusing, { adapter });
      const first = app.open('/first');
      expect((await responded(first)).status).toBe(500);
      expect(await first.ended).toBe('{"statusCode":500,"message":"Internal server error"}');

      const seen: Record<string, unknown[]> = {};
      for (const path of ['later', 'map', 'hook', 'send', 'emit', 'snapshot']) {
        const stream = app.open(`/${path}`);
        expect(await stream.ended).toMatch(ONLY_FIELDS);
        seen[path] = stream.events.map(({ type, data }) => (type === 'message' ? data : type));
      }
      expect(seen).toEqual({
        later: ['first', 'sse-error'],
        map: ['first', 'sse-error'],
        hook: ['first'],
        send: ['first'],
        emit: ['first'],
        snapshot: ['first', 'sse-error'],
      });
      expect(codes).toEqual(['SSE_INVALID_FIELD', 'SSE_INVALID_FIELD']);
      expect(app.logged.filter((line) => line.includes(`${field}: `)).length).toBeGreaterThan(0);
    },
  );
});

it.each([
  ['a value', { 'X-A': 'a\r\nX-Forged: 1' }],
  ['a value with an event', { 'X-A': 'a\r\n\r\ndata: forged\n\n' }],
  ['a name', { 'X-A: 1\r\nX-Forged': '1' }],
])(
  'a line break in %s of the option `headers` is refused when the app starts',
  (_title, headers) => {
    expect(() => SseStream('x', { headers })).toThrow(/a valid name and value of an HTTP header/);
  },
);

describe.each(ADAPTERS)('a line break in a header (%s)', (adapter) => {
  @Controller()
  class Headers {
    @SseStream('handler') handler(
      @Res({ passthrough: true }) response: { header(name: string, value: string): void },
    ) {
      response.header('X-A', 'a\r\nX-Forged: 1');
      return of('never');
    }
    @SseStream('body') body(
      @Res({ passthrough: true }) response: { header(name: string, value: string): void },
    ) {
      response.header('X-A', 'a\r\n\r\ndata: forged\n\n');
      return of('never');
    }
    @SseStream('decorator') @Header('X-A', 'a\r\nX-Forged: 1') decorator() {
      return of('never');
    }
  }

  // Fastify refuses the decorator's value by itself, as for any handler, and not within jest.
  it.each(adapter === 'fastify' ? ['handler', 'body'] : ['handler', 'body', 'decorator'])(
    'is answered with an error before anything is streamed (%s)',
    async (path) => {
      const app = await serve(Headers, { adapter });
      const stream = app.open(`/${path}`);
      const { status, headers } = await responded(stream);
      expect(status).toBe(500);
      expect(headers).not.toHaveProperty('x-forged');
      expect(headers['content-type']).toMatch(/^application\/json/);
      expect(await stream.ended).not.toMatch(/never|forged/);
      expect(app.nest.get(SseConnections).count).toBe(0);
    },
  );
});
