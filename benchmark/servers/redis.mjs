// A redis-server of the benchmark's own, in a temporary folder and without snapshots; with
// `isDurable`, what it has acknowledged is on the disk.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const has = (command) => spawnSync(command, ['--version']).status === 0;
export const hasRedis = () => has('redis-server');
export const hasRedisBenchmark = () => has('redis-benchmark');
const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** A command on one core, where that can be had. */
export const pinned = (core, command) =>
  canPin ? ['taskset', '-c', String(core), ...command] : command;

export async function startRedis({ core = 0, isDurable = false } = {}) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'bench-redis-'));
  const command = ['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  command.push('--save', '', '--tcp-backlog', '511', '--maxclients', '5000');
  // A subscriber that is slower than its sender is what `ingest` measures: it is not cut off.
  command.push('--client-output-buffer-limit', 'pubsub 0 0 0');
  if (isDurable) command.push('--appendonly', 'yes', '--appendfsync', 'always');
  let child;
  const end = () => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', end);

  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 10,
    maxRetriesPerRequest: null,
  });
  client.on('error', () => {});
  const run = async () => {
    const [file, ...args] = pinned(core, command);
    child = spawn(file, args, { stdio: 'ignore' });
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${child.exitCode}`);
      await sleep(5);
    }
  };
  await run();
  await client.connect();

  const info = async (section) => {
    const lines = (await client.info(section)).split('\r\n').filter((line) => line.includes(':'));
    return Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)));
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    client,
    info,
    /** Microseconds on a core so far. */
    async cpu() {
      const { used_cpu_user: user, used_cpu_sys: system } = await info('cpu');
      return 1e6 * (Number(user) + Number(system));
    },
    /** How often each command ran so far, those inside of scripts too. */
    async commands() {
      const stats = Object.entries(await info('commandstats'));
      return Object.fromEntries(
        stats.map(([name, text]) => [
          name.replace('cmdstat_', ''),
          Number(/calls=(\d+)/.exec(text)?.[1]),
        ]),
      );
    },
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    /** Resolves when it answers again. */
    restart: run,
    async stop() {
      client.disconnect();
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      end();
      process.off('exit', end);
    },
  };
}

/** Whether a server is there and has read its files. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const settle = (is) => () => (socket.destroy(), resolve(is));
    socket.on('data', (chunk) => settle(chunk.toString().startsWith('+PONG'))());
    socket.on('error', settle(false)).on('close', settle(false));
  });
}

/** Below the ports of outgoing connections: one of those could take it while Redis is away. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = net.createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
