// Hostile clients on real sockets against a real app in a process of its own. A million requests:
// `npm run test:fuzz`. FUZZ_RUNS sets how many; FUZZ_SEED sends the same again, with the seed that
// was printed, but for the cursors of the app.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ADAPTERS, type Adapter } from '../support/serve.js';
import { until } from '../support/until.js';
import { Client } from './client.js';
import { visitOf } from './requests.js';
import type { Response } from './responses.js';
import type { Ready, State } from './world.js';

const RUNS = Math.ceil(Number(process.env['FUZZ_RUNS'] ?? 6_000) / ADAPTERS.length);
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 1e9));

const CLIENTS = 32;
/** After so many requests everything is compiled, and all that is kept is there. */
const WARM_UP = Math.ceil(Math.min(RUNS / 2, 20_000));
/**
 * What the heap may have grown by when the clients have left: noise, and not something per request.
 */
const MAX_GROWTH_BYTES = 8_000_000;

class App {
  private readonly process: ChildProcess;
  private readonly ready: Promise<Ready>;
  private readonly died: Promise<never>;
  output = '';

  constructor(adapter: Adapter) {
    this.process = fork(join(import.meta.dirname, 'app.ts'), [adapter], {
      execArgv: ['--expose-gc', '--import', join(import.meta.dirname, '../support/typescript.mjs')],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const read = (text: string): void => void (this.output += text);
    this.process.stdout!.setEncoding('utf8').on('data', read);
    this.process.stderr!.setEncoding('utf8').on('data', read);
    this.died = once(this.process, 'exit').then(([code]) => {
      throw new Error(`the app has ended, with ${String(code)}:\n${this.output}`);
    });
    this.died.catch(() => {});
    this.ready = this.next<Ready>();
  }

  start(): Promise<Ready> {
    return this.ready;
  }

  state(): Promise<State> {
    this.process.send('state');
    return this.next<State>();
  }

  /** When nobody reads any more. */
  async stateWhenAlone(): Promise<State> {
    let state = await this.state();
    const isAlone = async (): Promise<boolean> => {
      state = await this.state();
      return state.connections === 0 && state.rooms.length === 0;
    };
    await until('every connection is gone', isAlone).catch(() => {});
    return state;
  }

  /** The exit code of the process, when it has ended by itself: nothing was left that kept it. */
  async close(): Promise<unknown> {
    const exit = once(this.process, 'exit');
    this.process.send('close');
    return (await exit)[0];
  }

  stop(): void {
    this.process.kill('SIGKILL');
  }

  private async next<T>(): Promise<T> {
    const [message] = (await Promise.race([once(this.process, 'message'), this.died])) as [T];
    return message;
  }
}

class Tally {
  private readonly statuses = new Map<number, number>();
  requests = 0;
  events = 0;

  add(requests: number, responses: readonly Response[], events: number): void {
    this.requests += requests;
    this.events += events;
    for (const { status } of responses) {
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    }
  }

  get text(): string {
    const statuses = [...this.statuses].sort(([a], [b]) => a - b);
    return statuses.map(([status, count]) => `${status}: ${count}`).join(', ');
  }
}

let app: App | undefined;

afterEach(() => app?.stop());

describe.each(ADAPTERS)('any client (%s)', (adapter) => {
  it(
    'gets proper answers and only what is in its rooms, and leaves nothing behind',
    async () => {
      app = new App(adapter);
      const { port, cursors } = await app.start();
      const tally = new Tally();
      let visits = 0;
      const visitUntil = async (count: number): Promise<void> => {
        while (tally.requests < count) {
          const visit = visitOf(SEED, visits++, cursors);
          const client = new Client(port, visit);
          await client.done;
          tally.add(visit.requests.length, client.responses, client.events);
        }
      };
      const run = async (count: number): Promise<State> => {
        await Promise.all(Array.from({ length: CLIENTS }, () => visitUntil(count)));
        return app!.stateWhenAlone();
      };

      const before = await run(WARM_UP);
      const began = performance.now();
      const after = await run(RUNS);
      const perSecond = ((tally.requests - WARM_UP) / (performance.now() - began)) * 1_000;
      const [first, last] = [before, after].map(({ heapBytes }) => (heapBytes / 1e6).toFixed(1));
      process.stdout.write(
        `fuzz (${adapter}): FUZZ_SEED=${SEED} ${tally.requests} requests on ${visits} connections, ` +
          `${perSecond.toFixed(0)}/s; ${tally.text}; ${tally.events} events; heap ${first} MB → ${last} MB\n`,
      );

      const alone = { connections: 0, rooms: [], logged: [] };
      expect([before, after]).toMatchObject([alone, alone]);
      expect(after.heapBytes - before.heapBytes).toBeLessThan(MAX_GROWTH_BYTES);
      expect(await app.close()).toBe(0);
      expect(app.output).toBe('');
      // Or nothing of this was a test.
      expect(tally.events).toBeGreaterThan(RUNS / 20);
    },
    60_000 + 4 * RUNS,
  );
});
