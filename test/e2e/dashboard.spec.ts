import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { EventSource } from 'eventsource';
import { AppModule } from '../../sample/01-dashboard/app.module.js';
import {
  ROOMS,
  type CpuSample,
  type Room,
  type StreamsSample,
} from '../../sample/01-dashboard/events.js';
import { servePage } from '../../sample/01-dashboard/page.js';
import { streamClient } from '../support/stream-client.js';

describe('the dashboard', () => {
  let app: NestExpressApplication;
  let url: string;
  let source: EventSource | undefined;

  beforeEach(async () => {
    app = await NestFactory.create<NestExpressApplication>(AppModule, {
      logger: ['warn', 'error'],
    });
    servePage(app);
    await app.listen(0, 'localhost');
    url = `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    source?.close();
    await app.close();
  });

  // feature: 110
  it('serves its page and all that the page asks for', async () => {
    const page = await (await fetch(url)).text();
    const files = [...page.matchAll(/(?:src|href)="(?!http)([^"]+)"/g)].map(
      ([, path]) => path ?? '',
    );
    expect(files).toEqual(expect.arrayContaining(['app.js', 'uplot/uPlot.iife.min.js']));
    const types = await Promise.all(
      files.map(async (path) => {
        const response = await fetch(`${url}/${path}`);
        await response.arrayBuffer();
        return [response.status, response.headers.get('content-type')?.split(';')[0]];
      }),
    );
    expect(new Set(types.map(([status]) => status))).toEqual(new Set([200]));
    expect(new Set(types.map(([, type]) => type))).toEqual(
      new Set(['image/svg+xml', 'text/css', 'text/javascript']),
    );
  });

  // fault: 22
  it('lets the page load nothing from elsewhere, and run nothing that is written into it', async () => {
    const response = await fetch(url);
    const policy = (response.headers.get('content-security-policy') ?? '').split('; ');
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ]),
    );
    expect(policy.join()).not.toMatch(/unsafe|\*|http/);
    expect(await response.text()).not.toMatch(/<script>|<style|\sstyle=|\son\w+=/);
  });

  it.each(['cpu,engine', '', 'CPU'])(
    'answers 400 to the rooms "%s", and names those it has',
    async (rooms) => {
      const response = await fetch(`${url}/events?rooms=${rooms}`);
      expect(response.status).toBe(400);
      const { message } = (await response.json()) as { message: string };
      expect(message).toContain(ROOMS.join(', '));
    },
  );

  it('sends the figures of the chosen room, and no others', async () => {
    const events = await collect(`${url}/events?rooms=cpu`, (seen) => seen.length === 3);
    for (const { room, value } of events) {
      const { cores, at } = value as CpuSample;
      expect(room).toBe('cpu');
      expect(cores.length).toBeGreaterThan(0);
      for (const percent of cores) {
        expect(percent).toBeGreaterThanOrEqual(0);
        expect(percent).toBeLessThanOrEqual(100);
      }
      expect(Math.abs(Date.now() - at)).toBeLessThan(10_000);
    }
    expect(new Set(events.map(({ value }) => (value as CpuSample).at)).size).toBe(3);
  }, 15_000);

  // feature: 110
  it('sends three pages the same figures', async () => {
    const pages = [1, 2, 3].map(() => streamClient({ url: `${url}/events?rooms=cpu` }));
    await Promise.all(pages.map((page) => page.until(({ text }) => text.includes('id: '))));
    const figuresOf = (page: (typeof pages)[number]) =>
      page.events.filter(({ type, id }) => type === 'sse-set' && id !== undefined);
    const last = pages[2]!;
    await last.until(() => figuresOf(last).length >= 3);
    const shown = figuresOf(last).slice(0, 3);
    for (const page of pages) {
      await page.until(() => figuresOf(page).some(({ id }) => id === shown[2]?.id));
      const from = figuresOf(page).findIndex(({ id }) => id === shown[0]?.id);
      expect(figuresOf(page).slice(from, from + 3)).toEqual(shown);
      page.close();
    }
  }, 15_000);

  it('sends every room something within a few seconds when none is chosen', async () => {
    // What was sampled before this client came says that there was none.
    const countsIt = ({ room, value }: Seen) =>
      room === 'streams' && (value as StreamsSample).connections === 1;
    const events = await collect(
      `${url}/events`,
      (seen) => new Set(seen.map(({ room }) => room)).size === 7 && seen.some(countsIt),
    );
    expect(new Set(events.map(({ room }) => room))).toEqual(new Set(ROOMS));
    const memory = events.find(({ room }) => room === 'memory')?.value;
    const { usedBytes, totalBytes, processBytes } = memory as Record<string, number>;
    expect(usedBytes).toBeLessThan(totalBytes!);
    expect(processBytes).toBeLessThan(totalBytes!);
  }, 15_000);

  interface Seen {
    id: string;
    room: Room;
    value: unknown;
  }

  /** What the `eventsource` package reads, up to the event that makes it enough. */
  function collect(address: string, isEnough: (seen: Seen[]) => boolean): Promise<Seen[]> {
    return new Promise((resolve, reject) => {
      const seen: Seen[] = [];
      const opened = (source = new EventSource(address));
      opened.addEventListener('error', ({ message }) => reject(new Error(message)));
      opened.addEventListener('sse-set', ({ data, lastEventId }) => {
        seen.push({ id: lastEventId, ...(JSON.parse(String(data)) as Omit<Seen, 'id'>) });
        if (isEnough(seen)) resolve(seen);
      });
    });
  }
});
