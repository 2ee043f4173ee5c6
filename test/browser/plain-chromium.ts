import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { isAlive, startKeeper, unref } from '../support/processes.js';
import { ARGUMENTS, CHROMIUM } from './chromium.js';

/**
 * Chromium as users have it. One that the driver starts takes every page for visible and focused,
 * and has no back/forward cache: nothing is ever frozen in it.
 */
export class PlainChromium {
  private constructor(
    private readonly browser: Browser,
    private readonly child: ChildProcess,
    private readonly keeper: ChildProcess,
  ) {}

  static async launch(): Promise<PlainChromium> {
    const folder = mkdtempSync(join(tmpdir(), 'chromium-'));
    const keeper = startKeeper(folder);
    const flags = [...ARGUMENTS, '--headless', '--remote-debugging-port=0'];
    const child = spawn(CHROMIUM ?? '', [...flags, `--user-data-dir=${folder}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    keeper.stdin?.write(`${child.pid}\n`);
    const address = await new Promise<string>((resolve, reject) => {
      let printed = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        printed = (printed + text).slice(-4_000);
        const [, found] = /listening on (ws:\S+)/.exec(printed) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(new Error(`Chromium has ended: ${signal ?? code}\n${printed}`)),
      );
    });
    for (const handle of [child, child.stderr]) unref(handle);
    const browser = await chromium.connectOverCDP(address, { noDefaults: true });
    return new PlainChromium(browser, child, keeper);
  }

  /** Its own: others would have the overrides of the driver. */
  get context(): BrowserContext {
    return this.browser.contexts()[0]!;
  }

  async close(): Promise<void> {
    await this.browser.close();
    if (isAlive(this.child)) {
      const exited = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await exited;
    }
    // With it goes the folder.
    this.keeper.stdin?.end('\n');
  }
}
