import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../shared/port.js';

const AWAY_MS = 5_000;

/**
 * A `redis-server` of this sample's own, in a temporary folder. When it is killed it comes back
 * with its data.
 */
export class OwnRedis {
  readonly url: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'orders-redis-'));
  private child: ChildProcess | undefined;

  private constructor(private readonly port: number) {
    this.url = `redis://127.0.0.1:${port}`;
    process.on('exit', () => {
      this.kill();
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
    });
  }

  static async start(command: string): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort());
    try {
      await redis.launch();
      return redis;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const message =
        'redis-server is not on the PATH: install it (apt install redis-server, brew install redis), ' +
        `or name one that runs: REDIS_URL=redis://localhost:6379 ${command}`;
      throw new Error(message, { cause: error });
    }
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  /** Resolves when it takes connections. */
  private launch(): Promise<void> {
    // Out of reach of Ctrl-C: it outlives the streams, see `stop` of the primary.
    const child = spawn('redis-server', this.arguments(), {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    this.child = child;
    return new Promise((resolve, reject) => {
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-2_000);
        if (!output.includes('Ready to accept connections')) return;
        resolve();
        child.once('exit', () => this.comeBack());
        // What it says later matters to nobody, but has to be taken.
        child.stdout.removeAllListeners('data').resume();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`redis-server has ended:\n${output}`)));
    });
  }

  private comeBack(): void {
    setTimeout(() => {
      this.launch().catch((error: Error) => {
        console.error(error.message);
        this.comeBack();
      });
    }, AWAY_MS);
  }

  private arguments(): string[] {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    // What was answered is on the disk, so that a kill takes nothing back.
    return [...args, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  }
}
