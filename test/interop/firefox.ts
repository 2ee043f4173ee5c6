import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { freePort } from '../support/processes.js';
import { until } from '../support/until.js';
import { eventSourceScript, type Heard, type Program } from './program.js';

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

/** How often a page is asked what it has heard. */
const ASK_MS = 20;

/** Over WebDriver BiDi, which every Firefox speaks. https://www.w3.org/TR/webdriver-bidi/ */
export async function startFirefox(file: string): Promise<Program> {
  const profile = mkdtempSync(join(tmpdir(), 'firefox-'));
  const preferences = Object.entries(PREFERENCES).map(
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
    name: 'Firefox',
    async open(url) {
      const heard: Heard[] = [];
      let over = false;
      const { context } = await bidi.call('browsingContext.create', { type: 'tab' });
      // Any page of the same origin, also one that says 404.
      const home = new URL('/page', url).href;
      await bidi.call('browsingContext.navigate', { context, url: home, wait: 'complete' });
      const evaluate = async (expression: string): Promise<string> => {
        const target = { context };
        const answer = await bidi.call('script.evaluate', {
          expression,
          target,
          awaitPromise: false,
        });
        return (answer['result'] as { value: string }).value;
      };
      await evaluate(
        `var heard = [], over = false, hear = (event) => heard.push(event), end = () => (over = true);
        { ${eventSourceScript(url)} } ''`,
      );
      const ask = async (): Promise<void> => {
        const answer = await evaluate('JSON.stringify({ heard: heard.splice(0), over })');
        const news = JSON.parse(answer) as { heard: Heard[]; over: boolean };
        heard.push(...news.heard);
        over = news.over;
      };
      let asking = Promise.resolve();
      const timer = setInterval(() => {
        asking = asking.then(ask).catch(() => {});
      }, ASK_MS);
      const close = async (): Promise<void> => {
        clearInterval(timer);
        await asking;
        await bidi.call('browsingContext.close', { context });
      };
      return { heard, isOver: () => over, close };
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
