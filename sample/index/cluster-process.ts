import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { freePort } from '../shared/port.js';
import { hasProgram } from '../shared/find-program.js';

/** Sample 03 has processes and a Redis; it runs if `redis-server` is installed. */
export class ClusterProcess {
  private child: ChildProcess | undefined;
  port: number | undefined;

  static readonly canRun = hasProgram('redis-server') || process.env['REDIS_URL'] !== undefined;

  /** Resolves when it serves its page. */
  async start(port: number, home: string): Promise<void> {
    const host = process.env['HOST'] ?? 'localhost';
    const free = await freePort(port, host).catch(() => freePort(0, host));
    const main = join(import.meta.dirname, `../03-cluster/main${extname(import.meta.filename)}`);
    // Forked: when this process ends in any way, the channel closes, and the cluster ends too.
    const child = fork(main, {
      env: { ...process.env, PORT: String(free), SAMPLES: home },
      silent: true,
    });
    this.child = child;
    const ended = once(child, 'exit').then(() => {
      this.port = undefined;
      throw new Error('03-cluster has ended');
    });
    let output = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => process.stderr.write(text));
    const printed = new Promise<void>((resolve) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (/http:\S+/.test(output)) resolve();
      });
    });
    await Promise.race([printed, ended]);
    ended.catch(() => {});
    this.port = free;
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}
