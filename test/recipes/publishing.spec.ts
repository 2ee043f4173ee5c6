// docs/recipes/publishing: events from a script without HTTP, from Python and PHP, and through a
// route.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { PublishController } from '../../docs/recipes/publishing/publish.controller.js';
import { findProgramThatRuns } from '../support/processes.js';
import { RecipeProcess } from '../support/recipe-process.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';

/** The programs in other languages, and how to see whether their client of Redis is there. */
const LANGUAGES: [file: string, programs: string[], check: string[]][] = [
  // A Python of one's own may lack the system's packages.
  ['publish.py', ['python3', '/usr/bin/python3'], ['-c', 'import redis']],
  ['publish.php', ['php'], ['-r', "exit(extension_loaded('redis') ? 0 : 1);"]],
];
const folder = join(import.meta.dirname, '../../docs/recipes/publishing');

@Controller()
class Shop {
  constructor(private readonly broadcaster: Broadcaster) {}
  @SseStream('shop') shop() {
    return this.broadcaster.stream(['shop', 'warehouse']);
  }
}

describeRedis('the recipes for publishing', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
    process.env['PUBLISH_SECRET'] = 'a secret';
  });

  afterAll(async () => {
    delete process.env['PUBLISH_SECRET'];
    await redis?.stop();
  });

  it('bring an event of a script to the clients of a web process, once for all its runs', async () => {
    const { app, stream } = await start();
    const first = await announce();
    expect(first).toEqual({ code: 0, output: '' });
    const offers = await stream.next();
    expect(offers).toMatchObject({ type: 'offers', data: { day: expect.any(String) } });
    // As cron does it after a failure.
    expect(await announce()).toEqual({ code: 0, output: '' });
    await publish(app, { type: 'stock', data: 1 });
    expect(await stream.next()).toMatchObject({ type: 'stock', data: 1 });
  });

  it('end the script with a failure when Redis is not there', async () => {
    const { code, output } = await announce('redis://127.0.0.1:1');
    expect([code, output]).toEqual([1, expect.stringContaining('cannot connect to Redis')]);
  });

  it('let those who have the secret publish by a request, once for each key', async () => {
    const { app, stream } = await start();
    const stock = { type: 'stock', data: { mugs: 7 } };
    const first = await publish(app, stock, { 'idempotency-key': 'mugs' });
    const second = await publish(app, stock, { 'idempotency-key': 'mugs' });
    const { id } = (await first.json()) as { id: string };
    expect([first.status, await second.json()]).toEqual([201, { id }]);
    await publish(app, { type: 'offers', data: { day: 'today' } });
    expect(await stream.take(2)).toMatchObject([{ ...stock, id }, { type: 'offers' }]);
  });

  it('refuse others, and types that are not listed', async () => {
    const { app } = await start();
    const stock = { type: 'stock', data: 1 };
    for (const authorization of ['', 'Bearer wrong', 'Bearer undefined']) {
      expect((await publish(app, stock, { authorization })).status).toBe(401);
    }
    expect((await publish(app, { type: 'paid', data: 1 })).status).toBe(400);
    delete process.env['PUBLISH_SECRET'];
    expect((await publish(app, stock, { authorization: 'Bearer undefined' })).status).toBe(401);
    process.env['PUBLISH_SECRET'] = 'a secret';
  });

  const describeLanguage = (
    file: string,
    programs: readonly string[],
    check: readonly string[],
    tests: (program: string) => void,
  ): void => {
    const program = findProgramThatRuns(programs, check);
    const isSkipped = program === undefined && process.env.CI !== 'true';
    if (isSkipped) process.stdout.write(`${file} is skipped: its client of Redis is missing\n`);
    (isSkipped ? describe.skip : describe)(file, () => tests(program ?? file));
  };

  describe.each(LANGUAGES)('in another language', (file, programs, check) => {
    describeLanguage(file, programs, check, (program) => {
      async function run(type: string, data: unknown, key: string, url = redis.url) {
        const args = [join(folder, file), 'shop', type, JSON.stringify(data), key];
        const env = { ...process.env, REDIS_URL: url, PYTHONDONTWRITEBYTECODE: '1' };
        const { stdout } = await promisify(execFile)(program, args, { env });
        return stdout.trim();
      }

      // feature: 54
      it('publishes to streams that are open, and to clients that return', async () => {
        const { app, stream } = await start();
        const hub = app.nest.get(Broadcaster);
        const before = await hub.position();
        const data = { day: 'Müll "7"', of: [], none: {}, price: 1.5 };
        const id = await run('offers', data, file);
        expect(await stream.next()).toMatchObject({ type: 'offers', data, id });
        // With its key neither it nor a Nest process publishes again.
        expect(await run('offers', 1, file)).toBe(id);
        expect(await hub.to('shop').emit('offers', 2, { key: file })).toBe(id);
        const last = await hub.to('shop').emit('stock', 3, { key: `${file} stock` });
        expect(await run('stock', 4, `${file} stock`)).toBe(last);
        expect(await stream.next()).toMatchObject({ type: 'stock', data: 3, id: last });
        const returned = app.open('/shop', { headers: { 'last-event-id': before } });
        expect(await returned.take(2)).toMatchObject([
          { type: 'offers', data, id },
          { data: 3, id: last },
        ]);
      });

      it('ends with what is wrong, and publishes nothing', async () => {
        const { app } = await start();
        const hub = app.nest.get(Broadcaster);
        const before = await hub.position();
        await expect(run('a\nid: 7', 1, '')).rejects.toThrow('SSE_INVALID_FIELD');
        await expect(run('sse-set', 1, 'k')).rejects.toThrow('choose another');
        await expect(run('big', 'x'.repeat(2_000), 'k')).rejects.toThrow('limits.maxEventBytes');
        expect(await hub.position()).toBe(before);
        const empty = await startRedis();
        await expect(run('n', 1, 'k', empty.url)).rejects.toThrow(
          'is missing: start the app first',
        );
        await empty.stop();
      });
    });
  });

  async function start() {
    const log = redisEventLog({ url: redis.url });
    const app = await serve([PublishController, Shop], {
      sse: { log, limits: { maxEventBytes: 2_000 } },
    });
    const stream = app.open('/shop');
    await stream.until(({ text }) => text.includes('id: '));
    return { app, stream };
  }

  async function announce(url = redis.url) {
    const script = new RecipeProcess('publishing/announce-offers.ts', { REDIS_URL: url });
    return { code: await script.ended, output: script.output };
  }
});

function publish({ url }: TestApp, event: object, headers: Record<string, string> = {}) {
  return fetch(`${url}/publish`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer a secret',
      ...headers,
    },
    body: JSON.stringify(event),
  });
}
