import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  listSamples,
  startSamples,
  type ListedSample,
  type SamplesProcess,
} from '../support/samples-process.js';

const SAMPLES = join(import.meta.dirname, '../../sample');

describe('what npm start runs', () => {
  let samples: SamplesProcess;
  let listed: ListedSample[];

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

  it('runs every sample but the cluster, which has processes of its own', () => {
    const folders = readdirSync(SAMPLES).filter((name) => /^\d\d-/.test(name));
    const others = folders.filter((name) => name !== '03-cluster');
    expect(listed.map(({ name }) => name)).toEqual(others);
    for (const { title, about } of listed) expect(title && about).toMatch(/\w/);
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
      const files = [...page.matchAll(/(?:src|href)="([^"#]+\.\w+)"/g)].map(([, path]) => path);
      expect(files).toEqual(expect.arrayContaining(['app.js', 'shared/base.css']));
      for (const file of files) {
        const answer = await fetch(`${url}/${file}`);
        expect([answer.url, answer.status]).toEqual([answer.url, 200]);
        await answer.arrayBuffer();
      }
    }
  }, 30_000);

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
