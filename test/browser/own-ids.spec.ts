// What a browser's own EventSource makes of ids of the app, and of a stream that is complete.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { concat, defer, NEVER, of } from 'rxjs';
import { LastEventId, SseStream } from 'nestjs-eventstream';
import type { Browser, Page } from 'playwright-core';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { Registry } from '../../lib/connection/registry.js';

let runs = 0;

@Controller()
class Streams {
  @Get() page() {
    return '<!doctype html><title>A page</title>';
  }
  @SseStream('own-ids') ownIds(@LastEventId() id?: string) {
    return concat(of(id === undefined ? { id: 'msg-0', data: 'first' } : `back with ${id}`), NEVER);
  }
  @SseStream('counter', { onComplete: 'close' }) counter() {
    return defer(() => {
      runs++;
      return of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    });
  }
}

describeChromium.each(ADAPTERS)('an EventSource in Chromium (%s)', (adapter) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser?.close());
  let page: Page;
  afterEach(() => page.close());

  /** `statuses`: what the requests of its stream were answered. */
  async function visit(path: string, on: Adapter) {
    const app: TestApp = await serve(Streams, { adapter: on, sse: { retry: 20 } });
    page = await browser.newPage();
    const statuses: number[] = [];
    page.on('response', (response) => {
      if (response.url().endsWith(path)) statuses.push(response.status());
    });
    await page.goto(app.url);
    await page.evaluate((url) => {
      const source = new globalThis.EventSource(url);
      const got: string[] = [];
      source.addEventListener('message', ({ data }) => got.push(data as string));
      Object.assign(globalThis, { source, got });
    }, path);
    const got = (): Promise<string[]> =>
      page.evaluate(() => (globalThis as typeof globalThis & { got: string[] }).got);
    const state = (): Promise<number> =>
      page.evaluate(
        () => (globalThis as typeof globalThis & { source: EventSource }).source.readyState,
      );
    return { connections: app.nest.get(Registry), statuses, got, state };
  }

  // feature: 4
  it('brings the id of the app when it comes back', async () => {
    const { connections, got } = await visit('/own-ids', adapter);
    await until('it has the first', async () => (await got()).length === 1);
    connections.list()[0]?.destroy('client');
    await until('it is back', async () => (await got()).length === 2);
    expect(await got()).toEqual(['first', 'back with msg-0']);
  }, 30_000);

  // feature: 25
  // fault: 28
  it('runs a stream that says that it is complete once', async () => {
    runs = 0;
    const { got, state, statuses } = await visit('/counter', adapter);
    await until('it is closed', async () => (await state()) === 2);
    expect(await got()).toEqual(Array.from({ length: 11 }, (_none, n) => String(n)));
    expect(statuses).toEqual([200, 204]);
    expect(runs).toBe(1);
  }, 30_000);
});
