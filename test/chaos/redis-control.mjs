// A Redis that is killed, restarted with less than it had, and replaced by a replica.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisCommand } from './resp.mjs';
import { TcpProxy } from './tcp-proxy.mjs';

export const hasRedis = () => spawnSync('redis-server', ['--version']).status === 0;

class RedisServer {
  constructor({ port, folder, keep, clock }) {
    Object.assign(this, { port, folder, keep, clock });
    mkdirSync(folder, { recursive: true });
  }

  /** Resolves when it answers and has read its files. */
  async start({ isDurable = true, masterPort } = {}) {
    const args = ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    args.push('--appendonly', isDurable ? 'yes' : 'no', '--appendfsync', 'always');
    args.push('--repl-diskless-sync-delay', '0');
    if (masterPort !== undefined) args.push('--replicaof', `127.0.0.1 ${masterPort}`);
    const env = { PATH: process.env.PATH, ...this.clock };
    this.child = spawn('redis-server', args.map(String), { stdio: 'ignore', env });
    this.keep(this.child);
    for (let tries = 0; tries < 500; tries++) {
      if ((await this.command('PING').catch(() => '')) === 'PONG') return;
      if (this.child.exitCode !== null) break;
      await sleep(20);
    }
    throw new Error(`redis-server on port ${this.port} does not start`);
  }

  command(...args) {
    return redisCommand(this.port, args);
  }

  async kill() {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

export class RedisControl {
  #count = 0;
  #clockLibrary;

  constructor({ folder, keep, freePort }) {
    Object.assign(this, { folder, keep, freePort });
  }

  async start() {
    this.#clockLibrary = compileClock(this.folder);
    this.master = await this.#server();
    await this.master.start();
  }

  /** Whether a server may have a clock of its own: there is a C compiler. */
  get hasClocks() {
    return this.#clockLibrary !== undefined;
  }

  get port() {
    return this.master.port;
  }

  command(...args) {
    return this.master.command(...args);
  }

  signal(name) {
    this.master.child.kill(name);
  }

  kill() {
    return this.master.kill();
  }

  /** With all that it has acknowledged. */
  restart() {
    return this.master.start();
  }

  async restartEmpty() {
    for (const name of readdirSync(this.master.folder)) this.#remove(name);
    await this.master.start();
  }

  /** What it has now, as a stock configuration writes it from time to time. */
  async takeSnapshot() {
    await this.command('SAVE');
    copyFileSync(join(this.master.folder, 'dump.rdb'), join(this.folder, 'snapshot.rdb'));
  }

  async restartFromSnapshot() {
    for (const name of readdirSync(this.master.folder)) this.#remove(name);
    copyFileSync(join(this.folder, 'snapshot.rdb'), join(this.master.folder, 'dump.rdb'));
    // With an append-only file that is missing, Redis would not look at the snapshot.
    await this.master.start({ isDurable: false });
    await this.command('CONFIG', 'SET', 'appendonly', 'yes');
  }

  /** A replica that is up to date, and the link on which it hears of more. */
  async startReplica({ clockOffset = 0 } = {}) {
    const { port } = this.master;
    const link = await new TcpProxy(() => port).listen();
    const replica = await this.#server(clockOffset);
    await replica.start({ masterPort: link.port });
    for (let tries = 0; tries < 500; tries++) {
      const info = await replica.command('INFO', 'replication');
      if (info.includes('master_link_status:up')) return { replica, link };
      await sleep(20);
    }
    await this.dropReplica({ replica, link });
    throw new Error('the replica does not get the data');
  }

  /** The old master is gone for good. */
  async promote({ replica, link }) {
    await this.kill();
    await replica.command('REPLICAOF', 'NO', 'ONE');
    rmSync(this.master.folder, { recursive: true, force: true, maxRetries: 3 });
    this.master = replica;
    await link.close();
  }

  async dropReplica({ replica, link }) {
    await replica.kill();
    await link.close();
  }

  async #server(clockOffset = 0) {
    const clock = clockOffset !== 0 && {
      LD_PRELOAD: this.#clockLibrary,
      CLOCK_OFFSET: String(clockOffset),
    };
    const folder = join(this.folder, `redis-${this.#count++}`);
    return new RedisServer({ port: await this.freePort(), folder, keep: this.keep, clock });
  }

  #remove(name) {
    rmSync(join(this.master.folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

/** `undefined` without a C compiler. */
function compileClock(folder) {
  const library = join(folder, 'clock.so');
  const source = join(import.meta.dirname, 'clock.c');
  const { status } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  return status === 0 ? library : undefined;
}
