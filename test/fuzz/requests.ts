import { Random } from '../support/random.js';
import { PUBLISHED_ROOMS } from './world.js';

/** One request, and what can be said of its response. */
export interface Sent {
  readonly method: string;
  readonly text: string;
  /**
   * Rooms whose events may be in the response; `undefined`: not known, so nothing is said of them.
   */
  readonly rooms?: readonly string[] | undefined;
  /** The only status it may have. */
  readonly status?: number | undefined;
  /** The data of the first event, with 200. */
  readonly echo?: string | undefined;
  /**
   * The response may be a stream without an end, so no other request follows on this connection.
   */
  readonly isLast: boolean;
  /**
   * Node may refuse it by itself, and does so at once, in the middle of the response to an earlier
   * one.
   */
  readonly isAlone?: boolean;
}

/** What one client does on one connection. */
export interface Visit {
  readonly requests: readonly Sent[];
  /** What it sends, in these parts. */
  readonly parts: readonly string[];
  /** It sends its FIN after the last part. */
  readonly isHalfClosed: boolean;
  /** It leaves when it has sent everything, whatever comes. */
  readonly isRude: boolean;
  /** It stays until an event has come, and not only the opening. */
  readonly awaitsEvent: boolean;
}

/** The `n`th visit of a seed; `cursors` are where the hubs of the app stood when it began. */
export function visitOf(seed: number, n: number, cursors: readonly string[]): Visit {
  const random = new Random(seed ^ Math.imul(n, 0x9e37_79b1));
  const make = new RequestMaker(random, cursors);
  const final = make.final();
  const requests: Sent[] = [];
  for (let left = final.isAlone ? 0 : random.below(12); left > 0; left--) {
    const next = make.finite();
    if (!next.isAlone) requests.push(next);
  }
  requests.push(final);
  let text = requests.map((request) => request.text).join('');
  // The reader has to know which responses have no body.
  const isDamaged = random.below(10) === 0 && requests.every(({ method }) => method !== 'HEAD');
  if (isDamaged) text = make.damaged(text);
  return {
    // Of damaged ones it is not known where one ends and which rooms it names.
    requests: isDamaged ? [{ method: 'GET', text, isLast: true }] : requests,
    parts: make.parts(text),
    // Or Node would wait for the rest of what is not whole.
    isHalfClosed: isDamaged || final.isAlone === true || random.below(20) === 0,
    isRude: random.below(30) === 0,
    awaitsEvent:
      !isDamaged &&
      final.status === 200 &&
      final.rooms?.some((room) => PUBLISHED_ROOMS.includes(room)) === true &&
      random.below(10) === 0,
  };
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'SEARCH', 'M-SEARCH', 'QUERY', 'LINK']; // prettier-ignore
const NO_METHODS = ['get', 'FOO', 'G ET', 'GET\t', '', 'PRI', '\x80\xff', 'GETT'];
const PATHS = ['/rooms', '/until-gap', '/state', '/both', '/echo'];
const NO_PATHS = ['/', '/%E0%A4%A', '/rooms/%00', '/../rooms', '//rooms', '/rooms;a=b', '*', '/ÿ'];
const ACCEPTS = ['text/event-stream', '*/*', 'application/json', ';;q=,', '\xff\xfe', ''];
const CONNECTIONS = ['keep-alive', 'close', 'upgrade', 'Keep-Alive, close', 'x-y', 'te, trailers'];
const ESCAPES = ['%', '%zz', '%E0%A4%A', '%00', '%ff%fe', '%u2713', '+', '%2B', '%0D%0A', '&', '='];
const OTHER_ROOMS = ['unknown', '', 'r'.repeat(257), 'r'.repeat(10_000), '😀'.repeat(129)];
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const BODIES = ['{', 'null', '"x"', '0', '[]', '{"__proto__":{"x":1}}', '{"constructor":{}}', ''];
const TYPES = ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'a/b', ''];
const TAKEN_TYPES = ['application/json', 'application/json; charset=utf-8'];

class RequestMaker {
  constructor(
    private readonly random: Random,
    private readonly cursors: readonly string[],
  ) {}

  /** The last one on its connection: its response may have no end. */
  final(): Sent {
    const kind = this.random.below(20);
    if (kind < 12) return this.rooms();
    if (kind < 15) return this.roomsOfBody();
    return kind < 18 ? this.finite() : this.odd();
  }

  /** One whose response has an end. */
  finite(): Sent {
    const kind = this.random.below(10);
    if (kind < 3) return this.echo();
    if (kind < 5) return this.echoOfBody();
    return kind < 8 ? this.untilGap() : this.head();
  }

  /** A prefix of it, or with some of it doubled, left out, or turned into other bytes. */
  damaged(text: string): string {
    const { random } = this;
    const from = random.below(text.length + 1);
    const to = Math.min(text.length, from + 1 + random.below(40));
    const before = text.slice(0, from);
    const after = text.slice(to);
    return random.pick([
      before,
      before + after,
      before + text.slice(from, to) + text.slice(from),
      before + this.anyBytes(random.below(40)) + after,
      before + random.pick(['\r\n', '\n', '\r\n\r\n', '\0', ' ', '\r\nTransfer-Encoding: chunked']) + text.slice(from), // prettier-ignore
    ]);
  }

  /** Mostly all at once. */
  parts(text: string): string[] {
    if (this.random.below(8) > 0) return [text];
    const middle = this.random.below(text.length + 1);
    return [text.slice(0, middle), text.slice(middle)];
  }

  /** A stream of rooms, which ends or not. */
  private rooms(): Sent {
    const { random } = this;
    const path = random.pick(PATHS.slice(0, -1));
    if (random.below(12) === 0) return this.get(`${path}?${this.anyQuery('room')}`);
    const rooms = this.someRooms();
    const isGood = rooms.length > 0 && rooms.every((room) => room !== '' && room.length <= 256);
    const query = rooms.map((room) => `room=${encodeURIComponent(room)}`).join('&');
    const id = random.below(3) === 0 ? this.lastEventId() : undefined;
    const lastEventId = id === undefined ? '' : `&lastEventId=${encodeURIComponent(id)}`;
    const status = id === 'sse-end' ? 204 : isGood ? 200 : 400;
    return this.get(`${path}?${query}${lastEventId}`, {
      rooms,
      // What is too long for Node is not looked at.
      status: query.length + lastEventId.length > 8_000 ? undefined : status,
    });
  }

  /** The last event ID comes back as text; that which ends a stream for good is answered 204. */
  private echo(): Sent {
    const { random } = this;
    if (random.below(4) === 0) return this.get(`/echo?${this.anyQuery('lastEventId')}`);
    if (random.below(4) === 0) return this.get('/echo', { isLast: false });
    const text = random.below(3) === 0 ? this.anyText(300) : this.lastEventId();
    const query = `lastEventId=${encodeURIComponent(text)}`;
    return this.get(`/echo?${query}`, {
      isLast: false,
      echo: lines(text),
      headers: '',
      status: query.length > 8_000 ? undefined : text === 'sse-end' ? 204 : 200,
    });
  }

  /** The stream is told of a gap and is over. */
  private untilGap(): Sent {
    const room = encodeURIComponent(this.random.pick(PUBLISHED_ROOMS));
    const cursor = this.random.pick(['1.AAAAAAAA.1', '~', 'x', '1.__proto__.zz', '%00', '1.A.%0A']);
    const target = `/until-gap?room=${room}&lastEventId=${cursor}`;
    const rooms = [decodeURIComponent(room)];
    return this.get(target, { rooms, isLast: false, headers: '', status: 200 });
  }

  private echoOfBody(): Sent {
    const { random } = this;
    if (random.below(3) === 0) {
      const body = random.pick([...BODIES, this.anyBytes(100)]);
      return this.post('/echo', random.pick(TYPES), body, { isLast: false });
    }
    const body = JSON.stringify({ [this.anyText(20)]: [this.anyText(200), random.below(1e9)] });
    return this.post('/echo', random.pick(TAKEN_TYPES), utf8(body), { isLast: false, echo: body });
  }

  private roomsOfBody(): Sent {
    const { random } = this;
    if (random.below(3) === 0) {
      return this.post('/rooms', random.pick(TYPES), random.pick([...BODIES, this.anyBytes(100)]));
    }
    const rooms = this.someRooms();
    return this.post('/rooms', random.pick(TAKEN_TYPES), utf8(JSON.stringify({ rooms })), {
      rooms,
    });
  }

  /** Now and then with another length than the body has. */
  private post(target: string, type: string, bytes: string, known: Partial<Sent> = {}): Sent {
    const { random } = this;
    const isWhole = random.below(20) > 0;
    const length = isWhole ? bytes.length : random.below(200);
    const text =
      `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${length}\r\n\r\n${bytes}`;
    return isWhole
      ? { method: 'POST', isLast: true, ...known, text }
      : { method: 'POST', isLast: true, isAlone: true, text };
  }

  private head(): Sent {
    const sent = this.random.below(2) === 0 ? this.rooms() : this.echo();
    return { ...sent, method: 'HEAD', text: sent.text.replace('GET', 'HEAD'), isLast: false };
  }

  /** Other methods and paths, other versions of HTTP, and too much of everything. */
  private odd(): Sent {
    const { random } = this;
    const method = random.pick(random.below(2) === 0 ? METHODS : NO_METHODS);
    const target = random.pick(random.below(2) === 0 ? PATHS : NO_PATHS);
    const version = random.pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'http/1.1', '']);
    const host = random.pick(['Host: x', 'Host: x', 'Host: ', 'Host: x\r\nHost: y', 'X: y']);
    const body = random.pick(['', 'x'.repeat(10 ** random.below(6)), '0\r\n\r\n']);
    const length = random.pick([
      '',
      `Content-Length: ${body.length}\r\n`,
      'Content-Length: -1\r\n',
      'Content-Length: 1\r\nContent-Length: 2\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Transfer-Encoding: gzip\r\nContent-Length: 1\r\n',
      'Expect: 100-continue\r\nContent-Length: 3\r\n',
      'Expect: a miracle\r\n',
      'Upgrade: websocket\r\nConnection: upgrade\r\n',
      `X: ${'x'.repeat(random.below(20_000))}\r\n`,
      'X: y\r\n'.repeat(random.below(3_000)),
    ]);
    return {
      method,
      text: `${method} ${target} ${version}\r\n${host}\r\n${length}\r\n${body}`,
      isLast: true,
      isAlone: true,
    };
  }

  private get(target: string, known: Partial<Sent> & { headers?: string } = {}): Sent {
    const { headers = this.headers(), ...rest } = known;
    const text = `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
    // A header may be too much, or end the stream for good.
    const status = headers === '' ? rest.status : undefined;
    const isAlone = text.length > 8_000 || CONTROLS.test(headers) || /close/.test(headers);
    return { method: 'GET', isLast: true, ...rest, text, status, isAlone };
  }

  /** Often none. */
  private headers(): string {
    const { random } = this;
    let headers = '';
    while (random.below(2) === 0) {
      headers += random.pick([
        () => `Last-Event-ID: ${utf8(this.lastEventId()).replace(/[\r\n]/g, '_')}\r\n`,
        () => `Last-Event-ID: ${this.headerBytes(random.below(200))}\r\n`,
        () => `last-event-id: ${this.headerBytes(20).repeat(random.below(850))}\r\n`,
        () => `Accept: ${random.pick(ACCEPTS)}\r\n`,
        () => `Connection: ${random.pick(CONNECTIONS)}\r\n`,
        () => `Accept-Encoding: ${random.pick(['gzip', 'br, *', '\xff'])}\r\n`,
        () => `X-Forwarded-For: ${this.headerBytes(random.below(50))}\r\n`,
        () => `User-Agent: ${this.headerBytes(20).repeat(random.below(100))}\r\n`,
        () => `Origin: ${random.pick(['null', 'http://evil.test', '*'])}\r\n`,
        () => `Range: bytes=0-1\r\nIf-None-Match: *\r\n`,
      ])();
    }
    return headers;
  }

  /** Cursors as they are, as they might be, and as they cannot be. */
  private lastEventId(): string {
    const { random, cursors } = this;
    const own = random.pick(cursors);
    const [, epoch = '', digits = ''] = own.split('.');
    const position = Number.parseInt(digits, 36);
    const near = (position + random.below(2e7) - 1e7).toString(36);
    const ahead = (position + 3.6e9 + random.below(1e9)).toString(36);
    return random.pick([
      own,
      cursors.join('~'),
      [...cursors].reverse().join('~'),
      `1.${epoch}.${near}`,
      `1.${epoch}.${ahead}`,
      `1.${epoch}.0`,
      `1.${epoch}.zzzzzzzzzzz`,
      `1.${epoch}.${'9'.repeat(random.below(200))}`,
      `1.${epoch}.-1`,
      `1.${epoch}.1e9`,
      `1.${epoch}.${digits.toUpperCase()}`,
      `2.${own.slice(2)}`,
      `1.AAAAAAAA.${digits}`,
      `1.__proto__.${digits}`,
      `${own}~${own}`,
      `${own}~1.${epoch}.${near}`,
      Array.from({ length: random.below(8) }, () => random.pick(cursors)).join('~'),
      `~${own}`,
      `${own}~~`,
      own.slice(0, random.below(own.length)),
      `${own} `,
      'sse-end',
      '✓',
      'x'.repeat(random.below(15_000)),
      this.anyText(100),
    ]);
  }

  private someRooms(): string[] {
    const { random } = this;
    const rooms: string[] = [];
    do rooms.push(this.room());
    while (random.below(3) === 0);
    return random.below(200) === 0 ? Array.from({ length: 300 }, (_, n) => `many ${n}`) : rooms;
  }

  private room(): string {
    const kind = this.random.below(12);
    if (kind < 9) return this.random.pick(PUBLISHED_ROOMS);
    return kind < 11 ? this.random.pick(OTHER_ROOMS) : this.anyText(300);
  }

  /** A parameter as lists, objects, broken escapes. */
  private anyQuery(name: string): string {
    const { random } = this;
    const parts: string[] = [];
    do {
      const key = random.pick([name, `${name}[]`, `${name}[a]`, `${name}[__proto__]`, '__proto__']);
      let value = '';
      while (random.below(4) > 0) {
        value += random.pick([random.pick(ESCAPES), encodeURIComponent(this.anyText(20))]);
      }
      parts.push(`${key}=${value}`);
    } while (random.below(3) > 0);
    return parts.join(random.pick(['&', '&&', ';']));
  }

  private anyText(maxPieces: number): string {
    const { random } = this;
    return Array.from(
      { length: random.below(maxPieces) },
      () =>
      random.pick(['a', 'b', ' ', ':', '\n', '\r', '\0', '~', '.', '1', '%', 'é', '✓', '😀', '\uFEFF', 'data: x', '\nid: 9', '\u2028', '"', '\\']), // prettier-ignore
    ).join('');
  }

  private anyBytes(length: number): string {
    return Array.from({ length }, () => String.fromCharCode(this.random.below(256))).join('');
  }

  /** Without what ends a header. */
  private headerBytes(length: number): string {
    return this.anyBytes(length).replace(/[\r\n]/g, '_');
  }
}

/** As it goes over the wire. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

/** As a client reads it: which kind of line break it was is not told. */
const lines = (text: string): string => text.replace(/\r\n|\r/g, '\n');
