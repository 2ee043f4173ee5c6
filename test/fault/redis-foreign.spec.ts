// What other programs, other versions and damage leave in Redis: nobody may be harmed by it but
// whom it is about.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { Controller, Logger, Param } from '@nestjs/common';
import net, { type AddressInfo } from 'node:net';
import { Broadcaster, SseStream, type Gap } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { READ } from '../../lib/redis/read-script.js';
import { FORMAT } from '../../lib/redis/script.js';
import { ENTRY, PAGE, WHOLE } from '../../lib/redis/entry-scripts.js';
import { END, END_DUE, HEAD, PROBE, PUBLISH } from '../../lib/redis/scripts.js';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';
import { hubOf } from '../../lib/hub/hub.js';
import { serve, type TestApp } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms/:room') room(@Param('room') room: string) {
    return this.hub.stream(room);
  }
}

let redis: RedisServer;
let warnings: string[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  await redis.command('FLUSHALL');
  warnings = [];
  jest
    .spyOn(Logger.prototype, 'warn')
    .mockImplementation((text: unknown) => void warnings.push(String(text)));
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(stopAllRedis);

async function start() {
  const log = redisEventLog({ url: redis.url, probeIntervalMs: 300 });
  const app = await serve(Streams, { sse: { log, retry: 1 } });
  const { hub } = app.nest.get(Streams);
  const emit = (room: string, data: unknown): Promise<string> => hub.to(room).emit('n', data);
  return { app, hub, emit, trouble: () => hubOf(hub).log.trouble };
}

const open = (app: TestApp, room: string, lastEventId = ''): TestStream =>
  app.open(`/rooms/${room}`, { headers: { 'last-event-id': lastEventId } });
const told = ({ events }: TestStream): unknown[] =>
  events.map(({ type, data }) => (type === 'sse-gap' ? (data as Gap).reason : data));
const untilTold = (client: TestStream, data: unknown): Promise<void> =>
  until(`it is told ${String(data)}`, () => told(client).includes(data));

const CHANNEL = 'sse:{hub:}:events';
const META = 'sse:{hub:}:meta';

const NO_NOTICES: ((epoch: string, at: string) => string)[] = [
  (epoch) => `n3 ${epoch} 9000000000000000 0 0\nnot json`,
  (epoch, at) => `n3 ${epoch} 9000000000000000 ${at} 0\nnot json`,
  (epoch, at) => `n3 ${epoch} 9000000000000000 ${at} 0\nnot json\ndata: 1\n`,
  (epoch) => `e3 ${epoch}\n{\ndata: 1\n`,
  (epoch, at) => `n3 ${epoch} 9000000000000000 ${at} 0\n{}`,
  (epoch, at) => `n3 ${epoch} 9000000000000000 ${at} 0\n[["a"],"json"]`,
  (epoch) => `e3 ${epoch}\n{}`,
  (epoch) => `e3 ${epoch}`,
  (epoch) => `n3 ${epoch}`,
  (epoch) => `2n ${epoch} 1 2 3`,
  () => '',
  () => '\0\xff\n\n',
];

describeRedis('on the channel of a hub', () => {
  it('texts that are no notices harm nobody, and health shows them for a while', async () => {
    const { app, hub, emit, trouble } = await start();
    const [, epoch = ''] = (await emit('a', 'first')).split('.');
    const client = open(app, 'a');
    await client.until(({ text: all }) => all.includes('id: '));
    for (const [n, text] of NO_NOTICES.entries()) {
      const { position } = await hubOf(hub).log.head();
      for (let k = 0; k < 20; k++) {
        await redis.command('PUBLISH', CHANNEL, text(epoch, String(position)));
      }
      await emit('a', n);
      await untilTold(client, n);
    }
    expect(told(client)).toEqual([...NO_NOTICES.keys()]);
    expect(trouble()).toContain('cannot be read');
    expect(warnings).toEqual([expect.stringContaining('cannot be read')]);
    await until('all is well again', () => trouble() === undefined);
  });

  it('a flood of them costs Redis next to nothing', async () => {
    const { emit, trouble } = await start();
    await emit('a', 0);
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))?.[1]);
    const before = await scripts();
    const began = performance.now();
    const flood = `for n = 1, 2000 do redis.call('PUBLISH', '${CHANNEL}', 'garbage') end`;
    for (let n = 0; n < 10; n++) await redis.command('EVAL', flood, '0');
    await until('health shows it', () => trouble() !== undefined);
    // One per second, with what the last event that was taken is looked up by; and probes.
    const seconds = Math.ceil((performance.now() - began) / 1_000) + 1;
    expect((await scripts()) - before).toBeLessThan(10 * seconds);
  });
});

describeRedis('an entry that cannot be read', () => {
  it('is a gap of its room, and no other room is harmed', async () => {
    const { emit } = await start();
    const before = await emit('a', 1);
    await emit('b', 1);
    const position = (id: string): string => String(Number.parseInt(id.split('.')[2] ?? '', 36));
    const damaged = position(await emit('a', 2));
    const stream = 'sse:{hub:}:room:a';
    await redis.command('XDEL', stream, `${damaged}-0`);
    await emit('a', 3);
    await emit('b', 2);
    // In the middle of the room, as far as a stream lets anybody write there.
    const last = position(await emit('a', 4));
    const entries = await redis.command('XRANGE', stream, `${last}-0`, '+');
    expect(entries).toContain('data: 4');
    await redis.command('XADD', stream, `${last}-1`, 'some', 'thing', 'else', 'here');

    const { app, hub } = await start();
    const [inA, inB] = [open(app, 'a', before), open(app, 'b', before)];
    await untilTold(inA, 'trimmed');
    await untilTold(inB, 2);
    expect(told(inB)).toEqual([1, 2]);
    const page = await hub.history('a', { after: before });
    expect(page.covered).toBe(false);
    await emit('a', 5);
    await untilTold(inA, 5);
    expect(told(inA)).toEqual(['trimmed', 5]);
  });
});

describeRedis('a log of another format', () => {
  it.each([
    ['newer', '4', /format 3 \(choose another prefix, or upgrade this process\), .*format 4/],
    [
      'older',
      '1',
      /format 3 \(.*stop all processes of the older version and delete the key \S+:meta\), .*format 1/,
    ],
  ])('that is %s is refused at the start, with the remedy, and left alone', async (...args) => {
    const [prefix, format, message] = args;
    const meta = `${prefix}:{hub:}:meta`;
    await redis.command('HSET', meta, 'format', format, 'epoch', 'other', 'last', '7');
    const before = await redis.command('HGETALL', meta);
    const log = redisEventLog({ url: redis.url, prefix });
    await expect(serve(Streams, { sse: { log } })).rejects.toMatchObject({
      code: 'SSE_OPTIONS',
      message: expect.stringMatching(message),
    });
    expect(await redis.command('HGETALL', meta)).toEqual(before);
  });

  it('begins again where the key of an older one was deleted, as the refusal says', async () => {
    const prefix = 'deleted';
    const meta = `${prefix}:{hub:}:meta`;
    await redis.command('HSET', meta, 'format', '1', 'epoch', 'other', 'rooms', '9');
    await redis.command('HSET', `${prefix}:{hub:}:rooms`, '', '9', 'a', '9 20');
    await redis.command('XADD', `${prefix}:{hub:}:room:a`, '9-0', 'p', '0', 'e', 'of format 1');
    await redis.command('DEL', meta);
    const app = await serve(Streams, { sse: { log: redisEventLog({ url: redis.url, prefix }) } });
    const hub = app.nest.get(Broadcaster);
    const id = await hub.to('a').emit('n', 1);
    expect((await hub.history('a')).events).toMatchObject([{ id, data: 1 }]);
  });

  // The scripts of format 1 have checked the format in the same way.
  it('refuses the processes of an older one, whatever they ask for, and is left alone', async () => {
    const { emit } = await start();
    await emit('a', 1);
    const before = await redis.command('HGETALL', META);
    const args = ['epoch', '0', CHANNEL, 'PUBLISH', 'epoch', '1', '1', '1', '1', 'e', '0', 'event'];
    for (const { lua } of [HEAD, PROBE, END, READ, PUBLISH, END_DUE, ENTRY, PAGE, WHOLE]) {
      const older = lua.replaceAll(`'${FORMAT}'`, "'1'");
      expect(older).not.toBe(lua);
      const keys = [META, 'rooms', 'oldest', 'key'];
      await expect(redis.command('EVAL', older, '4', ...keys, ...args)).rejects.toThrow(
        `FORMAT ${FORMAT}`,
      );
    }
    expect(await redis.command('HGETALL', META)).toEqual(before);
  });

  it('that a running process meets is told, and nothing ends', async () => {
    const { app, emit, trouble } = await start();
    const client = open(app, 'a');
    await client.until(({ text: all }) => all.includes('retry'));
    await emit('a', 1);
    await untilTold(client, 1);
    await redis.command('HSET', META, 'format', '4');
    await expect(emit('a', 2)).rejects.toMatchObject({
      code: 'SSE_LOG_UNAVAILABLE',
      message: expect.stringContaining('FORMAT 4'),
    });
    await redis.command('PUBLISH', CHANNEL, 'n4 of another version');
    await until('health shows it', () => trouble()?.includes('FORMAT 4') === true);
    expect(warnings.some((text) => text.includes('FORMAT 4'))).toBe(true);
    await redis.command('HSET', META, 'format', FORMAT);
    await until('all is well again', () => trouble() === undefined);
    await emit('a', 3);
    await untilTold(client, 3);
    expect(told(client)).toEqual([1, 3]);
  });
});

describeRedis('a server that does not tell who it is', () => {
  let way: net.Server;
  beforeAll(async () => {
    // It has never seen the script as it is.
    const { port } = await startRedis();
    // What asks for the identity finds none.
    way = net.createServer((client) => {
      const server = net.connect(port, '127.0.0.1');
      client.on('error', () => {}).on('close', () => server.destroy());
      server.on('error', () => {}).on('close', () => client.destroy());
      server.on('data', (chunk) => client.write(chunk));
      client.on('data', (chunk) => {
        const masked = chunk.toString('latin1').replace('master_replid:', 'masked_replid:');
        server.write(masked, 'latin1');
      });
    });
    await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => way.close(resolve)));

  it('is refused, unless the app says that it loses nothing', async () => {
    const { port } = way.address() as AddressInfo;
    const startWith = (durable: boolean) =>
      serve(Streams, {
        sse: { log: redisEventLog({ url: `redis://127.0.0.1:${port}`, durable }) },
      });
    await expect(startWith(false)).rejects.toMatchObject({
      code: 'SSE_OPTIONS',
      message: expect.stringMatching(
        /^redisEventLog\.durable: expected true, because scripts cannot read `master_replid`/,
      ),
    });
    const app = await startWith(true);
    await app.nest.get(Streams).hub.to('a').emit('n', 1);
  });
});
