import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  listSamples,
  listWhen,
  startSamples,
  type ListedSample,
  type SamplesProcess,
} from '../support/samples-process.js';
import { describeRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';

const SAMPLES = join(import.meta.dirname, '../../sample');

describe('what npm start runs', () => {
  let samples: SamplesProcess;
  let listed: readonly ListedSample[];

  beforeAll(async () => {
    samples = await startSamples();
    listed = await listSamples(samples.url);
  }, 60_000);

  afterAll(() => {
    samples?.child.kill('SIGKILL');
  });

  it('prints the address of the list, then that of the dashboard', () => {
    const dashboard = listed.find(({ name }) => name === '01-dashboard');
    expect(samples.printed()).toBe(
      `\n  Samples  ${samples.url}\n\n  Dashboard  http://localhost:${dashboard?.port}\n\n`,
    );
  });

  it('runs every sample', () => {
    const folders = readdirSync(SAMPLES).filter((name) => /^\d\d-/.test(name));
    const others = folders.filter((name) => name !== '03-cluster');
    expect(listed.map(({ name }) => name)).toEqual(others);
    for (const { title, about } of listed) expect(title && about).toMatch(/\w/);
  });

  it('has live figures of the first two', () => {
    const figures = listed.map(({ figure }) => figure).filter((figure) => figure !== undefined);
    expect(figures).toEqual([
      '7 rooms, 7 events a second',
      expect.stringMatching(/^[1-9]\d* orders, [1-9]\d* changes so far$/),
    ]);
  });

  it('shows source and guide, and no other file of this machine', async () => {
    const get = async (path: string) => {
      const response = await fetch(`${samples.url}/files/${path}`);
      return { status: response.status, text: await response.text() };
    };
    expect((await get('sample/05-time')).text).toContain('time.controller.ts');
    expect((await get('docs/guide/rooms.md')).text).toContain('<h1>Rooms</h1>');
    expect((await get('sample')).text).toContain('<a href="/files/sample/05-time">05-time</a>');
    for (const path of [
      'package.json',
      'sample/%2e%2e/package.json',
      'sample/..%2fpackage.json',
      '%2e%2e/%2e%2e/etc/passwd',
      'docs/guide/nothing.md',
      'lib/index.ts',
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });

  // feature: 118
  it('serves each page with all that it asks for, and lets it load nothing else', async () => {
    for (const url of [samples.url, ...listed.map(({ port }) => `http://localhost:${port}`)]) {
      const response = await fetch(url);
      const page = await response.text();
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy.split('; ')).toEqual(
        expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'"]),
      );
      expect(policy).not.toMatch(/unsafe|\*|http/);
      expect(page).not.toMatch(/<script>|<style|\sstyle=|\son\w+="/);
      const files = [...page.matchAll(/(?:src|href)="([^"#]+\.\w+|http[^"]+)"/g)].map(
        ([, path]) => path!,
      );
      expect(files).toEqual(expect.arrayContaining(['app.js', 'shared/base.css']));
      for (const file of files) {
        // A page with all the code of a sample takes a second to make: its file is enough.
        const [, shown] = file.split('/files/');
        if (shown !== undefined && existsSync(join(SAMPLES, '..', shown))) continue;
        const answer = await fetch(new URL(file, url));
        expect([answer.url, answer.status]).toEqual([answer.url, 200]);
        await answer.arrayBuffer();
      }
    }
  }, 60_000);

  it('counts the streams of each, and ends them all with itself', async () => {
    const time = listed.find(({ name }) => name === '05-time')!;
    const response = await fetch(`http://localhost:${time.port}/time`);
    const isCounted = async () => {
      const list = await listSamples(samples.url);
      return list.find(({ name }) => name === '05-time')?.streams === 1;
    };
    expect(await isCounted()).toBe(true);

    const exited = once(samples.child, 'exit');
    const begun = performance.now();
    samples.child.kill('SIGINT');
    await response.text();
    expect(await exited).toEqual([null, 'SIGINT']);
    // The time that `shutdown.timeoutMs` gives to streams.
    expect(performance.now() - begun).toBeLessThan(5_000);
  }, 30_000);
});

describeRedis('the cluster that npm start runs', () => {
  it('starts by itself, and ends with the list', async () => {
    const samples = await startSamples();
    const { cluster } = await listWhen(samples.url, (list) => list.cluster.port !== undefined);
    const url = `http://localhost:${cluster.port}`;
    expect(await (await fetch(url)).text()).toContain(`<a href="${samples.url}/" rel="up">`);
    // As when a terminal is closed: no handler of its own runs.
    samples.child.kill('SIGKILL');
    await once(samples.child, 'exit');
    await until(
      'the cluster has ended',
      async () => (await fetch(url).catch(() => undefined)) === undefined,
    );
  }, 60_000);
});
