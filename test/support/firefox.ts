import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { freePort } from './processes.js';
import { until } from './until.js';

/**
 * Pages that come from no server are shown as they are, and nobody but the test's own server hears
 * of it.
 */
const PREFERENCES = {
  'devtools.jsonview.enabled': false,
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
};

export interface FirefoxTab {
  goto(url: string): Promise<void>;
  resize(width: number, height: number): Promise<void>;
  /** Runs a script in the page; `T` is what its JSON says. */
  evaluate<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

export interface Firefox {
  open(): Promise<FirefoxTab>;
  close(): Promise<void>;
}

/** Over WebDriver BiDi, which every Firefox speaks. https://www.w3.org/TR/webdriver-bidi/ */
export async function launchFirefox(
  file: string,
  own: Readonly<Record<string, string | number | boolean>> = {},
): Promise<Firefox> {
  const profile = mkdtempSync(join(tmpdir(), 'firefox-'));
  const preferences = Object.entries({ ...PREFERENCES, ...own }).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, 'user.js'), preferences.join(''));
  const port = await freePort();
  const child = spawn(
    file,
    ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', String(port)],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } },
  );
  const exited = once(child, 'exit');
  let output = '';
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  await until('Firefox listens', () => output.includes('WebDriver BiDi listening'));
  const bidi = new Bidi(new WebSocket(`ws://127.0.0.1:${port}/session`));
  await bidi.opened;
  await bidi.call('session.new', { capabilities: {} });
  return {
    async open() {
      const { context } = await bidi.call('browsingContext.create', { type: 'tab' });
      return {
        async goto(url) {
          await bidi.call('browsingContext.navigate', { context, url, wait: 'complete' });
        },
        async resize(width, height) {
          await bidi.call('browsingContext.setViewport', { context, viewport: { width, height } });
        },
        async evaluate<T>(expression: string) {
          const { result } = await bidi.call('script.evaluate', {
            expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value) ?? 'null')`,
            target: { context },
            awaitPromise: true,
          });
          const { value } = result as { value?: string };
          if (value === undefined) throw new Error(`${expression}: ${JSON.stringify(result)}`);
          return JSON.parse(value) as T;
        },
        async close() {
          await bidi.call('browsingContext.close', { context });
        },
      };
    },
    async close() {
      child.kill('SIGKILL');
      await exited;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

type Answer = Readonly<Record<string, unknown>>;

class Bidi {
  readonly opened: Promise<unknown>;
  private readonly waiting = new Map<number, (message: BidiMessage) => void>();
  private id = 0;

  constructor(private readonly socket: WebSocket) {
    this.opened = once(socket, 'open');
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as BidiMessage;
      this.waiting.get(message.id)?.(message);
      this.waiting.delete(message.id);
    });
    socket.on('error', () => {});
  }

  call(method: string, params: object): Promise<Answer> {
    const id = ++this.id;
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ type, result, message }) => {
        if (type === 'success') resolve(result);
        else reject(new Error(`${method}: ${message}`));
      });
    });
  }
}

interface BidiMessage {
  readonly id: number;
  readonly type: 'success' | 'error';
  readonly result: Answer;
  readonly message?: string;
}
