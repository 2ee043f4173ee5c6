// What Chromium itself does to pages that it hides: it freezes them, and keeps them in its
// back/forward cache.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import { describeChromium } from './chromium.js';
import { PlainChromium } from './plain-chromium.js';
import { SharedTabs, SOON, type PageGlobals } from './shared-tabs.js';

let chromium: PlainChromium;
let tabs: SharedTabs;

async function setLife(page: Page, state: 'frozen' | 'active'): Promise<void> {
  const session = await chromium.context.newCDPSession(page);
  await session.send('Page.setWebLifecycleState', { state });
  await session.detach();
  const type = state === 'frozen' ? 'freeze' : 'resume';
  await until(`the page hears ${type}`, async () => (await tabs.life(page)).at(-1) === type);
}
const freeze = (page: Page): Promise<void> => setLife(page, 'frozen');
const thaw = (page: Page): Promise<void> => setLife(page, 'active');

function join(page: Page, room: string): Promise<unknown> {
  return page.evaluate(
    (name) => (globalThis as typeof globalThis & PageGlobals).stream.join(name),
    room,
  );
}

/** Two tabs, the first of which leads, each with a room of its own beside the one of the URL. */
async function twoPanels(): Promise<[Page, Page]> {
  const pages: [Page, Page] = [await tabs.open({}, '/panels'), await tabs.open({}, '/panels')];
  await join(pages[0], 'a');
  await join(pages[1], 'b');
  const rooms = ['main', 'a', 'b'];
  tabs.publish((n) => rooms[n % 3]!);
  await tabs.gotSome(...pages);
  return pages;
}

describeChromium('pages that the browser freezes', () => {
  beforeAll(async () => {
    chromium = await PlainChromium.launch();
  }, 30_000);
  afterAll(() => chromium.close());
  beforeEach(async () => {
    tabs = await SharedTabs.start(chromium.context, 20);
  });
  afterEach(async () => {
    tabs.stop();
    for (const page of chromium.context.pages()) await page.close();
  });

  it('hand over at once as the leader is frozen, which catches up as it thaws', async () => {
    const [first, ...others] = await tabs.fourTabs();
    expect(await tabs.leading(first, ...others)).toEqual([true, false, false, false]);
    await freeze(first);
    await until('another leader', () => tabs.cursors.length === 2);
    await tabs.gotSome(...others);
    const before = await tabs.got(first);
    await tabs.gotSome(...others);
    expect(await tabs.got(first)).toEqual(before);
    await thaw(first);
    await tabs.gotSome(first);
    await tabs.expectExact(first, ...others);
    expect(tabs.cursors.length).toBe(2);
    expect(await tabs.leading(first, ...others)).toEqual([false, true, false, false]);
  });

  it('go on where they stopped when all were frozen', async () => {
    const pages = await tabs.fourTabs();
    for (const page of pages) await freeze(page);
    await until('no connection', () => tabs.connections.count === 0);
    for (const page of [...pages].reverse()) await thaw(page);
    await tabs.gotSome(...pages);
    await tabs.expectExact(...pages);
  });

  it('are told of a gap if they have missed more than tabs keep', async () => {
    const [first, ...others] = await tabs.fourTabs();
    await freeze(first);
    await tabs.gotSome(...others);
    tabs.stop();
    while (tabs.last < 1_500) await tabs.hub.to('main').emit('n', ++tabs.last);
    await tabs.expectExact(...others);
    await thaw(first);
    await until('the gap', async () => (await tabs.others(first)).length > 0);
    await tabs.hub.to('main').emit('n', ++tabs.last);
    await until('the next', async () => (await tabs.got(first)).at(-1) === tabs.last);
    expect(await tabs.others(first)).toEqual(['gap unknown ']);
  });

  it('go on without a frozen page that has opened the stream, and got its lock, in that state', async () => {
    const [first, second] = [await chromium.context.newPage(), await chromium.context.newPage()];
    await first.goto(tabs.url);
    await second.goto(tabs.url);
    await freeze(first);
    await first.evaluate(() => {
      const to = globalThis as typeof globalThis & PageGlobals;
      to.stream = to.connectTabs<{ n: number }>('/stream', { takeOverMs: 800 });
      to.stream.on('n', ({ data }) => to.got.push(data));
    });
    const held = (): Promise<number> =>
      second.evaluate(async () => (await navigator.locks.query()).held!.length);
    await until('it has the lock', async () => (await held()) === 1);
    await tabs.read(second, SOON);
    expect(await tabs.leading(second)).toEqual([true]);
    tabs.publish();
    await tabs.gotSome(second);
    await thaw(first);
    await tabs.gotSome(first, second);
    await tabs.expectExact(first, second);
  });

  it.each(['the leader', 'another tab'])('keep the rooms of %s that is frozen', async (which) => {
    const [first, second] = await twoPanels();
    const [frozen, other] = which === 'the leader' ? [first, second] : [second, first];
    await freeze(frozen);
    await tabs.gotSome(other);
    const from = tabs.last;
    await until('many events', () => tabs.last > from + 50);
    await thaw(frozen);
    await tabs.gotSome(frozen);
    await tabs.expectExact(frozen);
  });

  it('leave the rooms of a tab that is closed, also of the leader', async () => {
    const [first, second] = await twoPanels();
    await first.close();
    await tabs.gotSome(second);
    await until('the room is left', () => !tabs.hub.rooms().includes('a'));
  });
});

describeChromium('pages in the back/forward cache', () => {
  beforeAll(async () => {
    chromium = await PlainChromium.launch();
  }, 30_000);
  afterAll(() => chromium.close());
  beforeEach(async () => {
    tabs = await SharedTabs.start(chromium.context, 20);
  });
  afterEach(async () => {
    tabs.stop();
    for (const page of chromium.context.pages()) await page.close();
  });

  /** Goes to another page, and back once so many events have passed. */
  const goAndReturn = async (
    page: Page,
    events = 50,
    meanwhile = (): unknown => undefined,
  ): Promise<void> => {
    await page.goto(`${tabs.url}/elsewhere`);
    await meanwhile();
    const from = tabs.last;
    await until(`${events} events`, () => tabs.last > from + events);
    // The driver waits for a load, which a page from the cache does not have.
    await page.evaluate(() => history.back());
    await until('the page is back', async () => (await tabs.life(page).catch(() => [])).length > 0);
  };
  const LIFE = ['pagehide true', 'freeze', 'resume', 'pageshow true'];

  it('that share a stream have every event once when they come back', async () => {
    const [first, second] = await tabs.fourTabs();
    await goAndReturn(first);
    await goAndReturn(second);
    await tabs.gotSome(first, second);
    expect(await tabs.life(first)).toEqual(['pageshow false', ...LIFE]);
    expect(await tabs.life(second)).toEqual(['pageshow false', ...LIFE]);
    await tabs.expectExact(...chromium.context.pages().slice(1));
  });

  it('that were alone go on where they stopped', async () => {
    const page = await tabs.open();
    tabs.publish();
    await tabs.gotSome(page);
    await goAndReturn(page);
    await tabs.gotSome(page);
    expect(await tabs.life(page)).toEqual(['pageshow false', ...LIFE]);
    await tabs.expectExact(page);
    expect(tabs.cursors.length).toBe(2);
  });

  it('are told what they have missed of their rooms, which others have left for them', async () => {
    const [first, second] = await twoPanels();
    await goAndReturn(first);
    await until('a gap', async () => (await tabs.others(first)).length > 0);
    await tabs.gotSome(first, second);
    tabs.stop();
    await until('the last event', async () => (await tabs.got(first)).at(-1) === tabs.last);
    expect(await tabs.others(first)).toEqual(['gap unknown a']);
    const numbers = await tabs.got(first);
    const has = new Set(numbers);
    const missing = Array.from({ length: tabs.last - numbers[0]! }, (_, n) => numbers[0]! + n);
    expect(new Set(missing.filter((n) => !has.has(n)).map((n) => n % 3))).toEqual(new Set([1]));
  });

  it('have all events of their rooms if there was no other tab', async () => {
    const page = await tabs.open({}, '/panels');
    await join(page, 'a');
    tabs.publish((n) => ['main', 'a'][n % 2]!);
    await tabs.gotSome(page);
    await goAndReturn(page);
    await tabs.gotSome(page);
    expect(await tabs.life(page)).toEqual(['pageshow false', ...LIFE]);
    await tabs.expectExact(page);
  });

  // The browser goes on with the connection, and gives the page what has come meanwhile.
  it.each(['connect()', 'EventSource'] as const)(
    'that read by %s go on with their connection',
    async (reader) => {
      const page = await tabs.open({}, '/stream', reader);
      tabs.publish();
      await tabs.gotSome(page);
      await goAndReturn(page);
      await tabs.gotSome(page);
      expect(await tabs.life(page)).toEqual(['pageshow false', ...LIFE]);
      await tabs.expectExact(page);
      expect(tabs.cursors).toEqual([undefined]);
    },
  );

  it.each(['connect()', 'EventSource'] as const)(
    'that read by %s resume if their connection has ended meanwhile',
    async (reader) => {
      const page = await tabs.open({}, '/stream', reader);
      tabs.publish();
      await tabs.gotSome(page);
      await goAndReturn(page, 50, () => tabs.connections.closeAll());
      await tabs.gotSome(page);
      expect(await tabs.life(page)).toEqual(['pageshow false', ...LIFE]);
      await tabs.expectExact(page);
      expect(tabs.cursors).toEqual([undefined, expect.any(String)]);
    },
  );
});
