// What somebody reads who has made a mistake: at the start, in one line, with the remedy.
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Controller, Logger } from '@nestjs/common';
import { Cluster, Redis } from 'ioredis';
import net, { type AddressInfo } from 'node:net';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import {
  describeRedis,
  startRedis,
  startRedisCluster,
  stopAllRedis,
  type RedisCluster,
  type RedisServer,
} from '../support/redis-server.js';
import { serve } from '../support/serve.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

const LIMIT_MS = 8_000;

@Controller()
class Nothing {}

interface Servers {
  readonly plain: RedisServer;
  readonly secret: RedisServer;
  readonly cluster: RedisCluster;
  /** Takes connections and says nothing. */
  readonly mute: number;
  /** Speaks HTTP. */
  readonly web: number;
  /** Answers as a Redis of this version. */
  readonly old: number;
  /** Nobody is there. */
  readonly free: number;
}

let at: Servers;
const fakes: net.Server[] = [];

async function fake(onSocket: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer((socket) => onSocket(socket.on('error', () => {})));
  fakes.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** As much of Redis 6.0 as a client asks before it is ready. */
function answerAsOldRedis(socket: net.Socket): void {
  const info = 'redis_version:6.0.16\r\nredis_mode:standalone\r\nloading:0\r\n';
  socket.on('data', (chunk) => {
    for (const [, command = ''] of chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
      const isInfo = command.toLowerCase() === 'info';
      socket.write(isInfo ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
    }
  });
}

beforeAll(async () => {
  const [plain, secret, cluster] = await Promise.all([
    startRedis(),
    startRedis({ password: 'secret' }),
    startRedisCluster(),
  ]);
  const closing = await fake(() => {});
  at = {
    plain,
    secret,
    cluster,
    mute: await fake(() => {}),
    web: await fake((socket) => {
      socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    }),
    old: await fake(answerAsOldRedis),
    free: closing,
  };
  await new Promise((resolve) => fakes.shift()!.close(resolve));
});

afterEach(() => {
  for (const made of clients.splice(0)) made.disconnect();
});

afterAll(async () => {
  for (const server of fakes) server.close();
  await stopAllRedis();
});

const clients: (Redis | Cluster)[] = [];

function client<T extends Redis | Cluster>(made: T): T {
  made.on('error', () => {});
  clients.push(made);
  return made;
}

const local = (port: number, user = ''): string => `redis://${user}127.0.0.1:${port}`;

/** What a start with these options says. */
async function said(options: RedisEventLogOptions): Promise<string> {
  const began = performance.now();
  // Without an app there is nothing to close.
  const outcome = await Promise.resolve()
    .then(() => serve(Nothing, { sse: { log: redisEventLog(options) } }))
    .then(
      () => 'it started',
      (error: Error) => `${(error as { code?: string }).code}: ${error.message}`,
    );
  expect(performance.now() - began).toBeLessThan(LIMIT_MS);
  expect(outcome).not.toContain('\n');
  return outcome;
}

const wrong = (options: object): RedisEventLogOptions => options;

const CASES: [string, () => RedisEventLogOptions, RegExp][] = [
  [
    'a wrong password',
    () => ({ url: local(at.secret.port, ':wrong@') }),
    /^SSE_LOG_UNAVAILABLE: .*WRONGPASS.*check the user name and password$/,
  ],
  [
    'a password that is missing',
    () => ({ url: local(at.secret.port) }),
    /^SSE_LOG_UNAVAILABLE: .*NOAUTH.*check the user name and password$/,
  ],
  [
    'a host without a name',
    () => ({ url: 'redis://no-such-host.invalid:6379' }),
    /^SSE_LOG_UNAVAILABLE: .*no-such-host\.invalid.*check the host and port$/,
  ],
  [
    'a Cluster client of a single server',
    () => ({ client: client(new Cluster([{ host: '127.0.0.1', port: at.plain.port }])) }),
    /^SSE_LOG_UNAVAILABLE: .*cluster support disabled.*pass `new Redis\(…\)`/i,
  ],
  [
    'a client of one node of a Cluster',
    () => ({ url: at.cluster.nodes[0]!.url }),
    /^SSE_OPTIONS: redisEventLog\.client: expected `new Cluster\(\[…\]\)`/,
  ],
  [
    'minReplicas with a Cluster',
    () => ({
      client: client(new Cluster([{ host: '127.0.0.1', port: at.cluster.nodes[0]!.port }])),
      minReplicas: 1,
    }),
    /^SSE_OPTIONS: redisEventLog\.minReplicas: expected 0 with a Cluster \(.*`min-replicas-to-write`/,
  ],
  [
    'Redis 6.0',
    () => ({ url: local(at.old) }),
    /^SSE_OPTIONS: redisEventLog: expected Redis 6\.2 or newer, got "6\.0\.16"$/,
  ],
  ['neither url nor client', () => ({}), /^SSE_OPTIONS: .*either `client` or `url`/],
  [
    'both url and client',
    () => ({ url: at.plain.url, client: client(new Redis(at.plain.url)) }),
    /^SSE_OPTIONS: .*either `client` or `url`/,
  ],
  [
    'an option that does not exist',
    () => wrong({ url: at.plain.url, replicas: 1 }),
    /^SSE_OPTIONS: redisEventLog\.replicas: no such option; did you mean minReplicas\?/,
  ],
  [
    'a url that is none',
    () => ({ url: 'localhost:6379' }),
    /^SSE_OPTIONS: redisEventLog\.url: expected .*redis:\/\//,
  ],
  [
    'a url of something else',
    () => ({ url: 'http://localhost:6379' }),
    /^SSE_OPTIONS: redisEventLog\.url: expected .*redis:\/\//,
  ],
  [
    'a client that is none',
    () => wrong({ client: {} }),
    /^SSE_OPTIONS: redisEventLog\.client: expected/,
  ],
  [
    'an empty prefix',
    () => ({ url: at.plain.url, prefix: '' }),
    /^SSE_OPTIONS: redisEventLog\.prefix: expected a non-empty string/,
  ],
  [
    'a url that ioredis does not take',
    () => ({ url: `redis://:%E0%A4%A@127.0.0.1:${at.plain.port}` }),
    /^SSE_OPTIONS: redisEventLog\.url: ioredis rejects it \(URI malformed\); .*percent-encode .*$/,
  ],
  [
    'a durable that is no yes or no',
    () => wrong({ url: at.plain.url, durable: 'yes' }),
    /^SSE_OPTIONS: redisEventLog\.durable: expected true or false, got "yes"$/,
  ],
  [
    'a negative interval',
    () => ({ url: at.plain.url, probeIntervalMs: -1 }),
    /^SSE_OPTIONS: redisEventLog\.probeIntervalMs: expected a positive integer/,
  ],
];

describeRedis('a start on Redis with', () => {
  it.each(CASES)('%s says so', async (_what, options, message) => {
    expect(await said(options())).toMatch(message);
  });

  it('an address where no Redis answers says so within 8 s, after waiting for one that starts', async () => {
    const messages = await Promise.all(
      [at.free, at.mute, at.web].map((port) => said({ url: local(port) })),
    );
    for (const message of messages) {
      expect(message).toMatch(/^SSE_LOG_UNAVAILABLE: .*start Redis, or check the host and port$/);
    }
    expect(messages[0]).toContain('ECONNREFUSED');
  });

  it.each([
    ['a text', ['SET', 'KEY', 'something']],
    ['a list', ['RPUSH', 'KEY', 'something']],
    ['a hash', ['HSET', 'KEY', 'some', 'thing']],
  ])('%s of another program under the prefix says so and leaves it alone', async (name, write) => {
    const prefix = `other-${name.replace(' ', '-')}`;
    const key = `${prefix}:{hub:}:meta`;
    await at.plain.command(...write.map((part) => (part === 'KEY' ? key : part)));
    const before = await at.plain.command('DUMP', key);
    expect(await said({ url: at.plain.url, prefix })).toMatch(/^SSE_OPTIONS: .*prefix/);
    expect(await at.plain.command('DUMP', key)).toBe(before);
  });

  it.each([
    ['subscribe', '-subscribe'],
    ['run scripts', '-evalsha'],
  ])('a user who may not %s says so, and not that Redis is away', async (_what, rule) => {
    await at.plain.command('ACL', 'SETUSER', 'limited', 'reset', 'on', '>pw', '~*', '&*', '+@all');
    await at.plain.command('ACL', 'SETUSER', 'limited', rule);
    const message = await said({ url: local(at.plain.port, 'limited:pw@') });
    expect(message).toMatch(/^SSE_LOG_UNAVAILABLE: .*NOPERM/);
    expect(message).not.toContain('start Redis');
  });

  it('whatever was wrong leaves no connection behind', async () => {
    const connections = async (): Promise<number> => {
      const list = await at.plain.command('CLIENT', 'LIST', 'TYPE', 'normal');
      return list.split('\n').filter((line) => line.includes('id=')).length;
    };
    await until('only this question is connected', async () => (await connections()) === 1);
    expect(await said({ url: local(at.plain.port), prefix: 'new' })).toBe('it started');
  });

  it.each([
    ['that may evict keys', ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'], 1],
    ['that is full and refuses', ['--maxmemory', '100mb', '--maxmemory-policy', 'noeviction'], 0],
    ['without a limit', ['--maxmemory-policy', 'allkeys-lru'], 0],
  ])('a Redis %s warns where history may go', async (_what, args, warnings) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const redis = await startRedis({ args });
    expect(await said({ url: redis.url })).toBe('it started');
    const warned = warn.mock.calls.filter(([text]) =>
      String(text).includes('may evict the history'),
    );
    warn.mockRestore();
    expect(warned.length).toBe(warnings);
  });

  it('a Redis that starts later begins when that is there', async () => {
    const redis = await startRedis();
    await redis.kill();
    const starting = said({ url: redis.url });
    await redis.restart();
    expect(await starting).toBe('it started');
  });
});
