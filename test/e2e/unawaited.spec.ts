// What a client can cause must not end a process that publishes without awaiting.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { isAlive } from '../support/processes.js';

const support = join(import.meta.dirname, '../support');
const JSON_TYPE = { 'content-type': 'application/json' };

let child: ChildProcess;
let url: string;
let log = '';

const post = (path: string, body: unknown = {}): Promise<Response> =>
  fetch(url + path, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) });

beforeAll(async () => {
  child = fork(join(support, 'apps/unawaited.ts'), {
    execArgv: ['--import', join(support, 'typescript.mjs')],
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('no output');
  for (const output of [stdout, stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  while (!/^\d+$/m.test(log)) await Promise.race([once(stdout, 'data'), once(child, 'exit')]);
  url = `http://127.0.0.1:${/^\d+$/m.exec(log)?.[0]}`;
});
afterAll(() => void child.kill('SIGKILL'));

describe('a process that publishes what clients send and awaits nothing', () => {
  const CASES: [string, () => Promise<Response>][] = [
    ['a room of 257 characters', () => post(`/rooms/${'x'.repeat(257)}`)],
    ['the room of the library', () => post('/rooms/sse:control')],
    ['a room with a lone surrogate', () => post('/any', { rooms: ['\ud800'], data: 1 })],
    ['no room', () => post('/any', { rooms: [], data: 1 })],
    ['rooms that are none', () => post('/any', { rooms: 7, data: 1 })],
    ['data over 1 MiB', () => post('/rooms/a', { text: 'x'.repeat(2 ** 20) })],
    ['a field that is none', () => post('/any', { rooms: ['a'], data: 1, typ: 'x' })],
    ['a type with a line break', () => post('/any', { rooms: ['a'], type: 'a\nb' })],
    ['an id of its own', () => post('/any', { rooms: ['a'], id: '1', data: 1 })],
    ['data with a cycle', () => post('/cycle')],
    ['data that throws nothing that can be shown', () => post('/throws')],
    ['neither a message nor options', () => post('/nothing', { rooms: ['a'], message: null })],
    ['a revocation of nobody', () => post('/revoke')],
    [
      'a hub that is closed',
      async () => {
        await post('/close');
        return post('/rooms/a', { text: 'late' });
      },
    ],
    ['a revocation over a hub that is closed', () => post('/revoke?user=ann')],
  ];

  it.each(CASES)('lives on after %s, and answers the next request', async (_what, send) => {
    expect((await send()).status).toBe(201);
    const next = await fetch(`${url}/alive`);
    expect(await next.text()).toBe('yes');
    expect([isAlive(child), log.match(/Unhandled|triggerUncaught/)]).toEqual([true, null]);
  });

  it('says it in one line of the log, not in one for each', () => {
    const lines = log.split('\n').filter((line) => line.includes('not published'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('room: expected a name of 1 to 256 characters');
    expect(log).toContain('revokeEverywhere');
  });
});
