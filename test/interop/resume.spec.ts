// Clients that are not ours read a thousand events of a real app while their sockets are cut.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { serve } from '../support/serve.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startPrograms, type Program } from './clients.js';

const EVENTS = 1_000;
/** A cut after so many. */
const PART = 250;

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('stream') stream() {
    return this.hub.stream('main');
  }
}

let programs: Program[];
const cleanUps: (() => unknown)[] = [];

beforeAll(async () => {
  programs = await startPrograms();
}, 60_000);
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => Promise.all(programs.map((program) => program.close())));

/** The program on the far side of a proxy that can be cut. */
async function open(program: Program) {
  const app = await serve(Streams, { sse: { retry: 20 } });
  const proxy = await startProxy(app.port);
  cleanUps.push(() => proxy.close());
  const client = await program.open(`http://127.0.0.1:${proxy.port}/stream`);
  cleanUps.push(() => client.close());
  const connections = app.nest.get(SseConnections);
  const returned: (string | undefined)[] = [];
  const subscription = connections.opened$.subscribe(({ lastEventId }) =>
    returned.push(lastEventId),
  );
  cleanUps.push(() => subscription.unsubscribe());
  await until('a connection', () => connections.count > 0);
  return { app, proxy, client, returned };
}

/** Some of several lines. */
const dataOf = (n: number): string => (n % 10 === 0 ? `${n}\nof several\n\nlines` : `${n} ✓`);

describe('a client that is not ours', () => {
  it('reads 1 000 events, each once and in order, while its socket is cut', async () => {
    const read = async (program: Program): Promise<void> => {
      const { app, proxy, client, returned } = await open(program);
      const hub = app.nest.get(Broadcaster);
      const ids: string[] = [];
      for (let n = 1; n <= EVENTS; n++) {
        ids.push(await hub.to('main').emit('n', dataOf(n)));
        if (n % PART !== 0 || n === EVENTS) continue;
        // What is on its way then is cut too.
        await until(`${program.name}: a part`, () => eventsOf(client).length > n - PART / 2);
        proxy.cut();
        if (client.again === undefined) continue;
        await until(`${program.name}: it has seen the cut`, () => client.isOver());
        client.again();
      }
      await until(`${program.name}: all`, () => eventsOf(client).length >= EVENTS);
      expect(eventsOf(client)).toEqual(
        ids.map((id, index) => ({ type: 'n', data: dataOf(index + 1), id })),
      );
      expect(returned.filter((id) => id !== undefined).length).toBeGreaterThanOrEqual(3);
    };
    await Promise.all(programs.map(read));
  }, 60_000);
});

/** What it made of a block without data is not an event. */
function eventsOf({ heard }: { heard: readonly { type: string; data: string; id: string }[] }) {
  return heard.filter(({ data }) => data !== '');
}
