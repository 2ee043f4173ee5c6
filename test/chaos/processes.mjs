// One app process: it is killed, comes back on the same port, and its memory is watched.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const REFUSED_TO_START = 3;
const LOADER = join(import.meta.dirname, '../support/typescript.mjs');

export class AppProcess {
  isUp = false;
  peakMb = 0;
  /** Of the first start, when it listened. */
  baselineMb = undefined;
  starts = 0;
  refusedStarts = 0;
  /** Ends that nobody has asked for: exit code or signal, and the last that it said. */
  deaths = [];
  #child;
  #holds = 0;
  #starting;
  #said = '';

  constructor({ name, port, redisUrl, isFromSources, keep }) {
    Object.assign(this, { name, port, redisUrl, isFromSources, keep });
  }

  get pid() {
    return this.#child?.pid;
  }

  /**
   * Takes back one `kill()`. Resolves when it listens; it is tried again while it refuses to start.
   */
  async start() {
    this.#holds = Math.max(0, this.#holds - 1);
    while (this.#holds === 0 && !this.isUp) await this.#ensureUp();
  }

  /** Two faults may want it down at a time: it comes back when both are over. */
  async kill() {
    this.#holds++;
    this.sample();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.isKilled = true;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  signal(name) {
    this.#child?.kill(name);
  }

  /** The kernel keeps the peak of a process by itself. */
  sample() {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      const peakMb = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
      this.peakMb = Math.max(this.peakMb, peakMb);
      return peakMb;
    } catch {
      // It is gone, or the system has no such file.
      return undefined;
    }
  }

  #ensureUp() {
    this.#starting ??= this.#untilUp().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  async #untilUp() {
    while (this.#holds === 0 && !(await this.#startOnce())) await sleep(300);
  }

  async #startOnce() {
    this.starts++;
    this.#said = '';
    const { PATH, HOME } = process.env;
    const loader = this.isFromSources ? ['--import', LOADER] : [];
    const env = {
      PATH,
      HOME,
      PORT: String(this.port),
      ...(this.redisUrl && { REDIS_URL: this.redisUrl }),
    };
    const file = join(import.meta.dirname, 'app.mjs');
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'];
    const child = (this.#child = spawn(process.execPath, [...loader, file], { env, stdio }));
    this.keep(child);
    const hear = (chunk) => (this.#said = (this.#said + chunk).slice(-2_000));
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    return new Promise((resolve) => {
      child.once('message', () => {
        this.isUp = true;
        this.baselineMb ??= this.sample();
        resolve(true);
      });
      // When all that it said has come.
      child.once('close', (code, signal) => {
        const wasUp = this.isUp;
        this.isUp = false;
        if (!child.isKilled && !wasUp && code === REFUSED_TO_START) this.refusedStarts++;
        else if (!child.isKilled) {
          this.deaths.push({ end: signal ?? code, said: this.#said });
          // As whoever runs the app would do it.
          if (wasUp) void this.#ensureUp();
        }
        resolve(false);
      });
    });
  }
}
