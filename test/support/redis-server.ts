import { describe } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { findProgram, freePort, isAlive, startKeeper, unref } from './processes.js';

const CERT_FILE = fileURLToPath(new URL('tls/cert.pem', import.meta.url));
const KEY_FILE = fileURLToPath(new URL('tls/key.pem', import.meta.url));
const SLOTS = 16_384;
const COMMAND_TIMEOUT_MS = 10_000;

export const hasRedis: boolean = findProgram('redis-server') !== undefined;

const skipped = !hasRedis && process.env.CI !== 'true';
if (skipped) process.stdout.write('redis-server is missing: the Redis suites are skipped\n');

/** A suite that needs Redis: without one it is skipped, in CI it fails. */
export const describeRedis: typeof describe.skip = skipped ? describe.skip : describe;

export interface RedisServerOptions {
  /** @default one that is free */
  port?: number;
  /** Further arguments of `redis-server`. */
  args?: readonly string[];
  /** The start resolves when the replica has caught up; a restart does not wait for that. */
  replicaOf?: RedisServer;
  /** Writes reach the disk before their reply: what was acknowledged outlives a `kill`. */
  persist?: boolean;
  password?: string;
  /** Instead of plain TCP, with the certificate of `test/support/tls`. */
  tls?: boolean;
}

const running = new Set<RedisServer>();

/** A `redis-server` of one's own on 127.0.0.1, in a temporary folder. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new RedisServer(options.port ?? (await freePort()), options);
    try {
      await server.restart();
      if (options.replicaOf) {
        await until('the replica has caught up', async () =>
          (await server.command('INFO', 'replication')).includes('master_link_status:up'),
        );
      }
      return server;
    } catch (error) {
      await server.stop();
      // Another worker may take the port after it was found free.
      const taken = String(error).includes('Address already in use');
      if (!taken || options.port !== undefined || attempt === 5) throw error;
    }
  }
}

/** For `afterEach` or `afterAll`: whatever still runs, also after a test that failed. */
export async function stopAllRedis(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

/** Made by `startRedis`. */
export class RedisServer {
  /** Of the process that runs now, or ran last. */
  pid = Number.NaN;
  readonly url: string;
  readonly password: string | undefined;
  readonly tls: boolean;
  private readonly folder = mkdtempSync(join(tmpdir(), 'redis-'));
  private readonly keeper = startKeeper(this.folder);
  private readonly args: readonly string[];
  private child: ChildProcess | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    readonly port: number,
    options: RedisServerOptions,
  ) {
    this.password = options.password;
    this.tls = options.tls ?? false;
    const user = this.password === undefined ? '' : `:${encodeURIComponent(this.password)}@`;
    this.url = `${this.tls ? 'rediss' : 'redis'}://${user}127.0.0.1:${port}`;
    this.args = serverArgs(port, this.folder, options);
    running.add(this);
  }

  /** Resolves when the process is gone; a paused one is let go on, to hear the signal. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (child === undefined || !isAlive(child)) return;
    const exited = once(child, 'exit');
    child.ref();
    child.kill(signal);
    child.kill('SIGCONT');
    await exited;
  }

  /** Its sockets stay open, and the kernel goes on taking connections: nobody answers. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  /**
   * On the same port and folder, after a kill if it still runs. `empty` deletes its data; `args`
   * come after those of the start, and hold until the next restart.
   */
  async restart({
    empty = false,
    args = [],
  }: { empty?: boolean; args?: readonly string[] } = {}): Promise<void> {
    await this.kill();
    if (empty) {
      await rm(this.folder, { recursive: true, force: true });
      await mkdir(this.folder);
    }
    if (this.stopped) throw new Error('this Redis was stopped for good');
    await this.launch(args);
    await this.command('PING');
  }

  /** One command on a connection of its own: its reply as text, an array's items by line. */
  command(...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const to = { host: '127.0.0.1', port: this.port };
      const socket = this.tls
        ? tls.connect({ ...to, ca: readFileSync(CERT_FILE) })
        : net.connect(to);
      const commands = this.password === undefined ? [args] : [['AUTH', this.password], args];
      const fail = (why: string): void => {
        reject(new Error(`${args.join(' ')}: ${why}`));
        socket.destroy();
      };
      let received: Buffer = Buffer.alloc(0);
      let open = commands.length;
      socket.on('error', (error) => fail(error.message));
      socket.on('close', () => fail('Redis closed the connection'));
      socket.setTimeout(COMMAND_TIMEOUT_MS, () => fail('no reply'));
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        for (let reply; open > 0 && (reply = readReply(received)) !== undefined; open--) {
          if (reply.isError) return fail(reply.text);
          if (open === 1) resolve(reply.text);
          received = received.subarray(reply.end);
        }
        if (open === 0) socket.destroy();
      });
      socket.write(commands.map(writeCommand).join(''));
    });
  }

  /** For good: the process and its folder are gone. A second call does nothing. */
  stop(): Promise<void> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  private async end(): Promise<void> {
    await this.kill();
    this.keeper.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
    running.delete(this);
  }

  private signal(signal: NodeJS.Signals): void {
    if (!this.child?.kill(signal)) throw new Error(`${signal}: this Redis does not run`);
  }

  private async launch(args: readonly string[]): Promise<void> {
    const child = spawn('redis-server', [...this.args, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    if (child.pid !== undefined) {
      this.pid = child.pid;
      this.keeper.stdin?.write(`${child.pid}\n`);
      child.once('exit', () => this.keeper.stdin?.write('\n'));
    }
    await new Promise<void>((resolve, reject) => {
      let output = '';
      const read = (text: string): void => {
        output = (output + text).slice(-4_000);
        if (output.includes('Ready to accept connections')) resolve();
      };
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      child.once('error', reject);
      child.once('close', (code, signal) =>
        reject(new Error(`redis-server ended with ${signal ?? code}:\n${output}`)),
      );
    });
    for (const handle of [child, child.stdout, child.stderr]) unref(handle);
  }
}

export interface RedisCluster {
  readonly nodes: RedisServer[];
  stop(): Promise<void>;
}

/** Primaries that share all slots evenly, in the order of `nodes`; there are no replicas. */
export async function startRedisCluster(nodes = 3): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'];
  // The default of 15 s is how long a test would wait for a dead node to be seen.
  args.push('--cluster-node-timeout', '2000');
  const servers = await Promise.all(Array.from({ length: nodes }, () => startRedis({ args })));
  await Promise.all(
    servers.map(async (server, index) => {
      const first = (node: number): number => Math.floor((node * SLOTS) / nodes);
      const range = [first(index), first(index + 1) - 1].map(String);
      await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
      await server.command('CLUSTER', 'ADDSLOTSRANGE', ...range);
      for (const { port } of servers.slice(0, index)) {
        await server.command('CLUSTER', 'MEET', '127.0.0.1', String(port));
      }
    }),
  );
  for (const server of servers) {
    await until('the cluster is whole', async () => {
      if (!(await server.command('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false;
      const known = (await server.command('CLUSTER', 'NODES')).trim().split('\n');
      // An address that was only announced so far, or does not answer, has other flags.
      const settled = known.filter((line) => / (?:myself,)?master .* connected \d+-/.test(line));
      return settled.length === nodes && known.length === nodes;
    });
  }
  return {
    nodes: servers,
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  };
}

/** Moves a slot with its keys, while clients go on reading and writing them. */
export async function moveSlot(
  { nodes }: RedisCluster,
  slot: number,
  toNodeIndex: number,
): Promise<void> {
  const to = nodes[toNodeIndex];
  if (to === undefined) throw new Error(`the cluster has no node ${toNodeIndex}`);
  const known = (await to.command('CLUSTER', 'NODES')).trim().split('\n');
  const owner = known.find((line) => rangesOf(line).some(([a, b]) => a <= slot && slot <= b));
  const from = nodes.find(({ port }) => owner?.includes(`127.0.0.1:${port}@`));
  if (from === undefined) throw new Error(`nobody owns slot ${slot}`);
  if (from === to) return;

  const setSlot = (server: RedisServer, ...state: string[]): Promise<string> =>
    server.command('CLUSTER', 'SETSLOT', String(slot), ...state);
  const [fromId, toId] = [
    await from.command('CLUSTER', 'MYID'),
    await to.command('CLUSTER', 'MYID'),
  ];
  await setSlot(to, 'IMPORTING', fromId);
  await setSlot(from, 'MIGRATING', toId);
  for (;;) {
    const keys = await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '100');
    if (keys === '') break;
    const target = ['127.0.0.1', String(to.port), '', '0', String(COMMAND_TIMEOUT_MS)];
    await from.command('MIGRATE', ...target, 'KEYS', ...keys.split('\n'));
  }
  // The new owner first: were it the last, nobody would own the slot in between.
  for (const server of new Set([to, from, ...nodes])) await setSlot(server, 'NODE', toId);
}

/** A line of `CLUSTER NODES` ends in slots as `5`, ranges as `6-9`, and moves as `[7->-id]`. */
function rangesOf(line: string): [number, number][] {
  const slots = line.split(' ').slice(8);
  return slots.map((range) => {
    const [first, last = first] = range.split('-');
    return [Number(first), Number(last)];
  });
}

function serverArgs(port: number, folder: string, options: RedisServerOptions): string[] {
  const { replicaOf, password } = options;
  const args = ['--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  args.push('--port', options.tls ? '0' : String(port));
  if (options.tls) args.push('--tls-port', String(port), '--tls-auth-clients', 'no');
  if (options.tls || replicaOf?.tls) {
    args.push('--tls-cert-file', CERT_FILE, '--tls-key-file', KEY_FILE);
    args.push('--tls-ca-cert-file', CERT_FILE);
  }
  if (options.persist) args.push('--appendonly', 'yes', '--appendfsync', 'always');
  if (password !== undefined) args.push('--requirepass', password);
  // By default a primary waits 5 s for further replicas before it serves the first. And what a
  // replica gets goes through a file, which it would load again after a restart.
  args.push('--repl-diskless-sync-delay', '0', '--rdb-del-sync-files', 'yes');
  if (replicaOf) {
    args.push('--replicaof', '127.0.0.1', String(replicaOf.port));
    if (replicaOf.tls) args.push('--tls-replication', 'yes');
    if (replicaOf.password !== undefined) args.push('--masterauth', replicaOf.password);
  }
  return [...args, ...(options.args ?? [])];
}

/** For what Redis does not announce: looks again every 10 ms. */
async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await delay(10);
  }
}

const writeCommand = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;

interface Reply {
  readonly text: string;
  readonly isError: boolean;
  readonly end: number;
}

/** The reply that begins at `at`, when all of it is there. Null is read as empty. */
function readReply(buffer: Buffer, at = 0): Reply | undefined {
  const lineEnd = buffer.indexOf('\r\n', at);
  if (lineEnd === -1) return undefined;
  const kind = buffer.toString('latin1', at, at + 1);
  const line = buffer.toString('utf8', at + 1, lineEnd);
  const next = lineEnd + 2;
  if (kind === '$') {
    const end = next + Math.max(Number(line) + 2, 0);
    if (line === '-1') return { text: '', isError: false, end: next };
    if (buffer.length < end) return undefined;
    return { text: buffer.toString('utf8', next, end - 2), isError: false, end };
  }
  if (kind === '*') {
    const items: string[] = [];
    let end = next;
    for (let left = Number(line); left > 0; left--) {
      const item = readReply(buffer, end);
      if (item === undefined) return undefined;
      items.push(item.text);
      end = item.end;
    }
    return { text: items.join('\n'), isError: false, end };
  }
  return { text: line, isError: kind === '-', end: next };
}
