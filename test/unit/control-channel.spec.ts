import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import type { SseConnection } from '../../lib/connection/sse-connection.js';
import { decodeRevocation, encodeRevocation } from '../../lib/hub/control-channel.js';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

const connection = (data: object): SseConnection => ({ data }) as SseConnection;

describe('a revocation', () => {
  const isMeant = decodeRevocation(encodeRevocation({ user: 'u7', tenant: 3 }));

  it.each([
    ['who has all facts', { user: 'u7', tenant: 3, name: 'Ann' }, true],
    ['nobody who has some of them', { user: 'u7' }, false],
    ['nobody who has another', { user: 'u7', tenant: 4 }, false],
    ['nobody whose fact only looks the same', { user: 'u7', tenant: '3' }, false],
    ['nobody of whom nothing is known', {}, false],
  ])('is about %s', (_who, data, expected) => {
    expect(isMeant(connection(data))).toBe(expected);
  });

  it.each([
    [
      'no facts',
      {},
      'revokeEverywhere(): expected at least one fact, such as { user: 7 } (to close all streams, call closeAll()), got an object with no keys',
    ],
    [
      'a text',
      'ann',
      'revokeEverywhere(): expected at least one fact, such as { user: 7 } (to close all streams, call closeAll()), got "ann"',
    ],
    [
      'a fact that JSON leaves out',
      { user: undefined },
      'revokeEverywhere().user: expected a string, a number or a boolean, got undefined',
    ],
    [
      'a fact that JSON makes null of',
      { user: NaN },
      'revokeEverywhere().user: expected a string, a number or a boolean, got NaN',
    ],
    [
      'a fact that is no plain value',
      { user: {} },
      'revokeEverywhere().user: expected a string, a number or a boolean, got an object with no keys',
    ],
  ])('of %s is refused', (_what, facts, message) => {
    expect(() => encodeRevocation(facts as never)).toThrow(message);
  });
});

describe('a message of another program', () => {
  it.each([
    '{"revoke":{}}',
    '{"revoke":[]}',
    '{"revoke":""}',
    '{"revoke":7}',
    '{"revoke":null}',
    '{}',
  ])('that names nobody revokes nobody: %s', (text) => {
    expect(decodeRevocation(text)(connection({ user: 7 }))).toBe(false);
  });
});

describe('a control channel', () => {
  it('brings a revocation to every process that shares its log, its own included', async () => {
    const heard: boolean[] = [];
    const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
    await hub.start();
    hub.control.onRevoke((isMeant) => heard.push(isMeant(connection({ user: 'ann' }))));
    await hub.control.revoke({ user: 'ann' });
    await hub.control.revoke({ user: 'bob' });
    expect(heard).toEqual([true, false]);
  });

  it('is no room that apps can see', async () => {
    const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
    await hub.start();
    expect([hub.rooms(), hub.size(), hub.size('sse:control')]).toEqual([[], 0, 0]);
    expect(() => hub.stream('sse:control')).toThrow(/reserved/);
  });
});
