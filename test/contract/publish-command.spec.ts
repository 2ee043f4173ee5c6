// The command in Redis for other languages, called as they call it: the text at its key, and pairs
// of a field and a value.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import type { Hub } from '../../lib/hub/hub.js';
import type { HubsOptions } from '../../lib/hub/hub.options.js';
import { Hubs } from '../../lib/hub/hubs.js';
import { parseCursor } from '../../lib/wire/cursor.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

type Fields = readonly [field: string, value: string][];

let server: RedisServer;
let redis: Redis;
const opened: Hubs[] = [];

describeRedis('the command publish:1', () => {
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterEach(async () => {
    for (const hubs of opened.splice(0)) await hubs.close();
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
  });

  const same: [Fields, (hub: Hub) => Promise<unknown>][] = [
    [
      [
        ['room', 'a'],
        ['type', 'offers'],
        ['data', '{"day":"2026-11-29","of":[],"n":1.5}'],
      ],
      (hub) => hub.to('a').emit('offers', { day: '2026-11-29', of: [], n: 1.5 }),
    ],
    [
      [
        ['room', 'b "\\\u0001\u007f\n'],
        ['room', 'a'],
        ['room', 'a'],
        ['room', '日本 🎉'],
        ['data', '{"s":"ж 🎉 \\ud800"}'],
      ],
      (hub) =>
        hub.publish(['b "\\\u0001\u007f\n', 'a', '日本 🎉'], {
          data: { s: 'ж 🎉 \ud800' },
        }),
    ],
    [
      [
        ['room', 'a'],
        ['text', 'one\ntwo\n'],
        ['retry', '0'],
      ],
      (hub) => hub.publish('a', { data: 'one\ntwo\n', retry: 0 }),
    ],
    [
      [
        ['room', 'a'],
        ['type', 'ж'],
        ['text', 'one\r\ntwo\r"\u0000'],
      ],
      (hub) => hub.to('a').emit('ж', 'one\r\ntwo\r"\u0000'),
    ],
    [
      [
        ['room', 'a'],
        ['type', ''],
        ['text', ''],
      ],
      (hub) => hub.to('a').emit('', ''),
    ],
    [
      [
        ['room', 'a'],
        ['type', 'tick'],
      ],
      (hub) => hub.to('a').emit('tick', undefined),
    ],
    [
      [
        ['room', 'a'],
        ['retry', '9007199254740991'],
      ],
      (hub) => hub.publish('a', { retry: Number.MAX_SAFE_INTEGER }),
    ],
    [
      [
        ['user', 'u 1'],
        ['type', 'n'],
        ['data', 'null'],
        ['except', 'tab "1"'],
      ],
      (hub) => hub.toUser('u 1').emit('n', null, { except: 'tab "1"' }),
    ],
    [
      [
        ['room', 'a'],
        ['text', '\r'],
        ['except', 'x'],
      ],
      (hub) => hub.publish('a', { data: '\r' }, { except: 'x' }),
    ],
    [
      [
        ['room', 'a'],
        ['set', 'ACME "\t'],
        ['data', '{"at":1000,"s":"\\"x\\\\"}'],
      ],
      (hub) => hub.state<Record<string, unknown>>('a').set('ACME "\t', { at: 1000, s: '"x\\' }),
    ],
    [
      [
        ['room', 'a'],
        ['set', 'ACME'],
        ['data', 'true'],
        ['ttlMs', '2147483647'],
        ['ifAbsent', '1'],
      ],
      (hub) =>
        hub
          .state<Record<string, unknown>>('a')
          .set('ACME', true, { ttlMs: 2_147_483_647, ifAbsent: true }),
    ],
    [
      [
        ['room', 'a'],
        ['delete', 'ACME "\t'],
      ],
      (hub) => hub.state<Record<string, unknown>>('a').delete('ACME "\t'),
    ],
  ];

  // feature: 54
  it('writes byte for byte what emit() and state rooms write', async () => {
    const identify = () => undefined;
    const [one, other] = [await open({ identify }), await open({ identify })];
    for (const [fields, emit] of same) {
      await command(one, fields);
      await emit(other.hub);
    }
    expect(await contents(one)).toEqual(await contents(other));
    expect(Object.keys(await contents(one))).toHaveLength(6);
  });

  it('answers the cursor of the event', async () => {
    const { hub, prefix } = await open();
    const cursor = await publish(prefix, 'room', 'a', 'text', '1');
    expect(await hub.position()).toBe(cursor);
    expect((await hub.history('a')).events).toMatchObject([{ data: '1', id: cursor }]);
    expect(parseCursor(cursor)).toBeDefined();
  });

  it('shares its keys with emit(), in both directions', async () => {
    const { hub, prefix } = await open();
    const first = await hub.to('a').emit('n', 1, { key: 'ж 1' });
    expect(await publish(prefix, 'room', 'a', 'data', '2', 'key', 'ж 1')).toBe(first);
    const second = await publish(prefix, 'room', 'a', 'data', '3', 'key', '2');
    expect(await hub.to('a').emit('n', 4, { key: '2' })).toBe(second);
    expect((await hub.history('a')).events.map(({ data }) => data)).toEqual([1, 3]);
    const kept = await publish(prefix, 'room', 'a', 'data', '5', 'ephemeral', '1', 'key', '3');
    expect([kept, await hub.to('a').emit('n', 6, { key: '3' })]).toEqual(['', '']);
  });

  it('changes entries on conditions, within the limits, and ends them', async () => {
    const { hub, prefix } = await open({ state: { maxKeys: 1, maxBytes: 500 } });
    const state = hub.state<Record<string, unknown>>('a');
    const at = await publish(prefix, 'room', 'a', 'set', 'x', 'data', '1', 'ifAbsent', '1');
    expect(await state.get('x')).toEqual({ key: 'x', value: 1, position: at });
    const again = ['room', 'a', 'set', 'x', 'data', '2'];
    await expect(publish(prefix, ...again, 'ifAbsent', '1')).rejects.toThrow(
      `SSE_CONFLICT the entry "x" of room "a" is at position ${at} now`,
    );
    const next = await publish(prefix, ...again, 'ifPosition', at, 'key', 'k');
    expect(await publish(prefix, ...again, 'ifPosition', at, 'key', 'k')).toBe(next);
    await expect(publish(prefix, ...again, 'ifPosition', at)).rejects.toThrow(next);
    await expect(publish(prefix, 'room', 'a', 'set', 'y', 'data', '2')).rejects.toThrow(
      /^SSE_LIMIT state.maxKeys is 1: the entry "y"/,
    );
    await expect(
      publish(prefix, 'room', 'b', 'set', 'y', 'data', `"${'x'.repeat(500)}"`),
    ).rejects.toThrow(/^SSE_LIMIT state.maxBytes is 500/);
    await publish(prefix, 'room', 'a', 'delete', 'x', 'ifPosition', next);
    expect(await publish(prefix, 'room', 'a', 'delete', 'x')).toBe('');
    await expect(publish(prefix, 'room', 'a', 'delete', 'x', 'ifPosition', next)).rejects.toThrow(
      'does not exist',
    );
    const ended = firstOf(hub, 'a', 'sse-delete');
    await publish(prefix, 'room', 'a', 'set', 'x', 'data', '1', 'ttlMs', '50');
    expect(await ended).toMatchObject({ room: 'a', key: 'x' });
  });

  describe('refuses', () => {
    let prefix: string;
    let hub: Hub;
    const ok = ['room', 'a', 'data', '1'];
    const long = 'x'.repeat(257);
    const cases: [title: string, args: (string | Buffer)[], why: string | RegExp][] = [
      ['nothing', [], 'room: expected at least one'],
      ['no room', ['type', 'n'], 'room: expected at least one room'],
      ['no message', ['room', 'a'], 'data: expected at least one of data, text, type, retry'],
      ['half a pair', ['room', 'a', 'type'], 'ARGV: expected pairs'],
      ['an unknown field', [...ok, 'rooms\n', '["a"]'], '"rooms?": not a field'],
      ['a field by its name on the wire', [...ok, 'event', 'n'], 'name the event in type'],
      ['a field twice', [...ok, 'data', '1'], 'data: expected once'],
      ['an empty room', ['room', '', 'data', '1'], 'room: expected a text of 1 to 256'],
      ['a long room', ['room', long, 'data', '1'], 'room: expected a text of 1 to 256'],
      [
        'a room of wide characters',
        ['room', '🎉'.repeat(129), 'data', '1'],
        'room: expected a text',
      ],
      ['a reserved room', ['room', 'sse:x', 'data', '1'], 'room: names that begin with "sse:"'],
      [
        'a room that is no UTF-8',
        ['room', Buffer.from([255]), 'data', '1'],
        'room: expected UTF-8',
      ],
      [
        'an overlong text',
        [...ok, 'text', Buffer.from([0xe0, 0xc2, 0x80, 0xa0, 0x80])],
        'text: expected UTF-8',
      ],
      [
        'a surrogate in bytes',
        [...ok, 'text', Buffer.from([0xed, 0xa0, 0x80])],
        'text: expected UTF-8',
      ],
      [
        'a line break in the type',
        [...ok, 'type', 'a\nid: x'],
        'type: must not contain CR, LF or NUL',
      ],
      ['a NUL in the type', [...ok, 'type', 'a\0'], 'type: must not contain CR, LF or NUL'],
      ['a reserved type', [...ok, 'type', 'sse-set'], 'type: names that begin with "sse-"'],
      ['data and text', [...ok, 'text', ''], 'text: either data or text'],
      ['an empty key', [...ok, 'key', ''], 'key: expected a non-empty text'],
      ['a retry with a point', [...ok, 'retry', '1.5'], 'retry: expected milliseconds'],
      ['a retry below 0', [...ok, 'retry', '-1'], 'retry: expected milliseconds'],
      ['another text for a flag', [...ok, 'ephemeral', 'true'], 'ephemeral: expected 1 or 0'],
      ['users without identify', ['user', 'u', 'data', '1'], 'user: needs to know whose'],
      ['except without identify', [...ok, 'except', 'u'], 'except: needs to know whose'],
      ['a condition without an entry', [...ok, 'ifAbsent', '1'], 'ifAbsent: only for the entry'],
      ['an entry in two rooms', [...ok, 'room', 'b', 'set', 'x'], 'room: expected one room'],
      ['an entry with a type', [...ok, 'type', 'n', 'set', 'x'], 'type: not with the field set'],
      ['an entry set and deleted', ['room', 'a', 'set', 'x', 'delete', 'x'], 'delete: not with'],
      ['an entry without a value', ['room', 'a', 'set', 'x'], 'data: expected the value'],
      ['an entry with a long key', [...ok, 'set', 'x'.repeat(513)], 'set: expected a text of 1'],
      ['a line break in an entry', ['room', 'a', 'delete', '\n'], 'delete: must not contain CR'],
      ['a ttl of 0', [...ok, 'set', 'x', 'ttlMs', '0'], 'ttlMs: expected milliseconds'],
      [
        'two conditions',
        [...ok, 'set', 'x', 'ifAbsent', '1', 'ifPosition', '1.a.1'],
        'ifPosition: an',
      ],
      [
        'a position of something else',
        [...ok, 'set', 'x', 'ifPosition', '7'],
        'ifPosition: expected',
      ],
    ];
    const notJson = [
      '',
      ' ',
      '{',
      '{"a":1,}',
      'NaN',
      '[NaN]',
      'Infinity',
      '01',
      '1.',
      '.5',
      '+1',
      '0x1',
    ];
    notJson.push(
      "{'a':1}",
      '{"a":1} x',
      'tru\\u0065',
      '{\\n}',
      '"a\nb"',
      '"\\x"',
      '"\\u00g0"',
      '1\\n2',
    );
    notJson.push(
      '"',
      '\\"a"',
      'nan',
      '-',
      '1e',
      '"a" "b"',
      '1 2',
      '[1 2]',
      '\f1',
      '"\u0000"',
      '\u00a01',
    );
    for (const data of notJson) {
      cases.push([
        `the data ${JSON.stringify(data)}`,
        ['room', 'a', 'data', data],
        'data: expected a JSON text',
      ]);
    }

    it('bad input, with the field and the remedy, and writes nothing', async () => {
      ({ hub, prefix } = await open());
      const keys = await redis.keys(`${prefix}*`);
      for (const [title, args, why] of cases) {
        const error = await publish(prefix, ...args).catch((refusal: Error) => refusal.message);
        expect([title, error]).toEqual([title, expect.stringMatching(/^SSE_INVALID_FIELD /)]);
        expect([title, error]).toEqual([title, expect.stringContaining(String(why))]);
      }
      expect(await redis.keys(`${prefix}*`)).toEqual(keys);
      const wrongKey = redis.eval(await textOf(prefix), 1, 'sse:x', ...ok);
      await expect(wrongKey).rejects.toThrow(`expected one key, that of this command: ${prefix}`);
      expect((await hub.history('a')).events).toEqual([]);
    });

    it('what is over the limits of the hub, and takes what is just within', async () => {
      const limits = { maxEventBytes: 20, maxRoomsPerEvent: 2 };
      ({ hub, prefix } = await open({ limits }));
      await publish(prefix, 'room', 'a', 'room', 'b', 'text', 'x'.repeat(20 - 'data: \n'.length));
      await expect(publish(prefix, 'room', 'a', 'text', 'ж'.repeat(7))).rejects.toThrow(
        'SSE_LIMIT limits.maxEventBytes is 20: an event of 21 bytes was not published',
      );
      await expect(publish(prefix, 'room', 'a', 'data', '['.repeat(50))).rejects.toThrow(
        'SSE_LIMIT',
      );
      const three = ['room', 'a', 'room', 'b', 'room', 'c', 'text', ''];
      await expect(publish(prefix, ...three)).rejects.toThrow(
        'SSE_LIMIT limits.maxRoomsPerEvent is 2: an event for 3 rooms was not published',
      );
      expect((await hub.history('a')).events).toHaveLength(1);
    });
  });

  it('passes JSON through as it is', async () => {
    const { hub, prefix } = await open();
    const texts = [
      '{ "a" : [ ] ,\r\n\t"b":{}}',
      '12345678901234567890',
      '-0',
      '1E+2',
      '"\\/\\"\\\\\\u00e9"',
    ];
    texts.push(
      '[1.50,true,false,null,-0.1e-7,0,-0,0.05,10,1e05,100.001,1E+05]',
      '"\u007f\u2028"',
      `${'['.repeat(999)}${']'.repeat(999)}`,
    );
    for (const text of texts) await publish(prefix, 'room', 'a', 'data', text);
    const { events } = await hub.history('a');
    expect(events.map(({ data }) => data)).toEqual(
      texts.map((text) => JSON.parse(text) as unknown),
    );
    const stored = await redis.xrange(`${prefix}:{hub:}:room:a`, '-', '+');
    expect(stored[1]?.[1].at(-1)).toBe('[["a"],"json"]\ndata: 12345678901234567890\n');
  });

  it('keeps nothing where the hub keeps nothing', async () => {
    const { hub, prefix } = await open({ history: false });
    const event = firstOf(hub, 'a', 'n');
    expect(await publish(prefix, 'room', 'a', 'type', 'n', 'data', '7')).toBe('');
    expect(await event).toBe(7);
    expect(await redis.keys(`${prefix}:*room:*`)).toEqual([]);
    await expect(publish(prefix, 'room', 'a', 'set', 'x', 'data', '1')).rejects.toThrow(
      'SSE_OPTIONS set needs history',
    );
  });

  it('goes on after FLUSHALL, and is there again soon', async () => {
    const own = await startRedis();
    const client = new Redis(own.url);
    try {
      const { hub, prefix } = await open({}, { url: own.url });
      const text = await textOf(prefix, '', client);
      const call = (...args: string[]) =>
        client.eval(text, 1, `${prefix}:{hub:}:publish:1`, 'room', 'a', ...args);
      const before = parseCursor(String(await call('data', '1')));
      await client.flushall();
      await client.script('FLUSH');
      // Like the first event of any new log, this one is part of the gap.
      const after = parseCursor(String(await call('data', '2')));
      expect(after?.epoch).toMatch(/^[0-9a-f]{11}$/);
      expect(after?.epoch).not.toBe(before?.epoch);
      await until('the command is there', async () => (await textOf(prefix, '', client)) === text);
      const live = firstOf(hub, 'a', 'n');
      expect(await call('type', 'n', 'data', '3')).toBe(await hub.position());
      expect(await live).toBe(3);
    } finally {
      client.disconnect();
      await own.stop();
    }
  });

  it('is one script for all processes with the same options, and for hubs of any name', async () => {
    const name = `it's "x" \\ {ж}\n`;
    const [one, other] = [await open({}, {}, name), await open()];
    const again = await open({}, { prefix: other.prefix });
    expect(await textOf(other.prefix)).toBe(await textOf(again.prefix));
    const key = `${one.prefix}:{hub:${name}}:publish:1`;
    const cursor = await redis.eval(
      await textOf(one.prefix, name),
      1,
      key,
      'room',
      'a',
      'text',
      '',
    );
    expect(await one.hub.position()).toBe(cursor);
    expect((await textOf(other.prefix)).length).toBeLessThan(32_768);
  });

  it('says when it is older than the log', async () => {
    const { prefix } = await open();
    await redis.hset(`${prefix}:{hub:}:meta`, 'format', '99');
    const error = publish(prefix, 'room', 'a', 'text', '');
    await expect(error).rejects.toThrow(/^FORMAT 99 is that of the log/);
  });

  it('is not needed by a process, which starts also where it cannot be written', async () => {
    const prefix = randomUUID();
    await redis.lpush(`${prefix}:{hub:}:publish:1`, 'of another program');
    const { hub } = await open({}, { prefix });
    expect(await hub.to('a').emit('n', 1)).toBe(await hub.position());
  });

  it('publishes to thousands of rooms', async () => {
    const { hub, prefix } = await open();
    const rooms = Array.from({ length: 5_000 }, (_, n) => `room ${n}`);
    await publish(prefix, ...rooms.flatMap((room) => ['room', room]), 'data', '1');
    expect((await hub.history('room 4999')).events).toHaveLength(1);
  });
});

async function open(options: HubsOptions = {}, own: RedisEventLogOptions = {}, name = '') {
  const prefix = own.prefix ?? randomUUID();
  const hubs = new Hubs({ log: redisEventLog({ url: server.url, ...own, prefix }), ...options });
  opened.push(hubs);
  return { hub: await hubs.open(name, {}), prefix };
}

async function textOf(prefix: string, hub = '', client = redis): Promise<string> {
  return (await client.get(`${prefix}:{hub:${hub}}:publish:1`)) ?? 'there is no command';
}

async function publish(prefix: string, ...args: (string | Buffer)[]): Promise<string> {
  const text = await textOf(prefix);
  return (await redis.eval(text, 1, `${prefix}:{hub:}:publish:1`, ...args)) as string;
}

function command({ prefix }: { prefix: string }, fields: Fields): Promise<string> {
  return publish(prefix, ...fields.flat());
}

/** All events and entries of a hub, as Redis has them; without what each log has of its own. */
async function contents({ prefix }: { prefix: string }): Promise<Record<string, unknown>> {
  const hub = `${prefix}:{hub:}:`;
  const found: Record<string, unknown> = {};
  for (const key of await redis.keys(`${hub}*`)) {
    const name = key.slice(hub.length);
    if (name.startsWith('room:')) {
      found[name] = (await redis.xrange(key, '-', '+')).map(([, fields]) => fields.slice(2));
    }
    if (name.startsWith('entries:')) {
      const entries = Object.entries(await redis.hgetall(key)).filter(([entry]) => entry !== '');
      found[name] = entries.map(([entry, value]) => [entry, value.split(' ').slice(3).join(' ')]);
    }
    if (name === 'endings') found[name] = await redis.hgetall(key);
  }
  return found;
}

/** The data of the next event of a type. */
function firstOf(hub: Hub, room: string, type: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    hub.stream(room, { connection: false }).subscribe({
      next: (event) => event.type === type && resolve(event.data),
      error: reject,
    });
  });
}
