import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { lookFrom, matcher } from '../../lib/inspector/look.js';
import { mergedConnections, mergedRooms, mergedTraffic } from '../../lib/inspector/merge.js';
import { PeerAnswers } from '../../lib/inspector/peer-answers.js';
import { Peers } from '../../lib/inspector/peers.js';
import {
  fitted,
  MAX_ANSWER_BYTES,
  type ProcessReport,
} from '../../lib/inspector/process-report.js';
import { addedUp } from '../../lib/inspector/sampler.js';
import type { InspectedConnection, InspectedRoom } from '../../lib/inspector/state.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

const FIGURES = { delivered: 1.1, bytes: 2, published: 3, opened: 4, replayed: 5, dropped: 6 };

function connectionOf(id: string, more: Partial<InspectedConnection> = {}): InspectedConnection {
  return {
    id,
    process: 'p',
    path: '/a',
    address: '::1',
    userAgent: 'x',
    openedAt: 1,
    facts: {},
    revokeBy: null,
    rooms: [],
    roomCount: 0,
    eventsPerSecond: 0,
    sentEvents: 0,
    sentBytes: 0,
    bufferedBytes: 0,
    droppedEvents: 0,
    isBlocked: false,
    isInspector: false,
    ...more,
  };
}

const roomOf = (name: string, connections: number, eventsPerSecond = 0): InspectedRoom => ({
  hub: '',
  name,
  connections,
  eventsPerSecond,
});

function reportOf(id: string, more: Partial<ProcessReport> = {}): ProcessReport {
  const none = { found: 0, list: [], leftOut: 0 };
  return {
    id,
    pid: 1,
    host: 'h',
    connections: { open: 0, blocked: 0, bufferedBytes: 0, inspectors: 0, ...none },
    rooms: { count: 0, ...none },
    hubs: [],
    traffic: null,
    notes: { since: 1, list: [] },
    ...more,
  };
}

describe('an answer to another process', () => {
  it('is small, however long everything in it is', () => {
    const long = 'ü'.repeat(200);
    const rooms = Array.from({ length: 10 }, (_none, n) => `${n}${'ü'.repeat(255)}`);
    const facts = Object.fromEntries(rooms.map((_room, n) => [`fact ${n}`, long]));
    const many = Array.from({ length: 200 }, (_none, n) => n);
    const reasons = Object.fromEntries(many.map((n) => [`${long} ${n}`, n]));
    const whole = reportOf('p', {
      connections: {
        open: 200,
        blocked: 0,
        bufferedBytes: 0,
        inspectors: 0,
        found: 1_000,
        list: many.map((n) => connectionOf(`${n}`, { path: long, userAgent: long, rooms, facts })),
        leftOut: 800,
      },
      rooms: {
        count: 200,
        found: 200,
        list: many.map((n) => roomOf(`${n} ${long}`, 1)),
        leftOut: 0,
      },
      hubs: many.map((n) => ({ name: `${n} ${long}`, trouble: n > 100 ? long : null })),
      traffic: { since: 1, total: FIGURES, perSecond: FIGURES, closes: reasons, refusals: reasons, gaps: reasons }, // prettier-ignore
    });
    const cut = fitted(whole);
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
    const { list, found, leftOut } = cut.connections;
    expect(list.length).toBeGreaterThan(0);
    expect(leftOut).toBe(found - list.length);
    expect(cut.traffic?.closes[`${long} 199`]).toBe(199);
    expect(cut.hubs.every(({ trouble }) => trouble !== null)).toBe(true);
  });

  it('has at most 50 connections and rooms', () => {
    const list = Array.from({ length: 60 }, (_none, n) => roomOf(`${n}`, 1));
    const cut = fitted(reportOf('p', { rooms: { count: 60, found: 60, list, leftOut: 0 } }));
    expect(cut.rooms).toMatchObject({ count: 60, leftOut: 10 });
    expect(cut.rooms.list).toHaveLength(50);
  });
});

describe('what several processes say', () => {
  it('is one list of connections, those that take nothing first', () => {
    const of = (list: InspectedConnection[], found = list.length) => ({
      open: found,
      blocked: 1,
      bufferedBytes: 5,
      inspectors: 1,
      found,
      list,
      leftOut: found - list.length,
    });
    const merged = mergedConnections(
      [
        of([connectionOf('quiet'), connectionOf('busy', { eventsPerSecond: 9 })]),
        of([connectionOf('blocked', { isBlocked: true })], 70),
      ],
      2,
    );
    expect(merged.list.map(({ id }) => id)).toEqual(['blocked', 'busy']);
    expect(merged).toMatchObject({
      open: 72,
      blocked: 2,
      bufferedBytes: 10,
      found: 72,
      leftOut: 70,
    });
  });

  it('is one list of rooms, in which a room of several is once', () => {
    const rooms = mergedRooms(
      [
        { count: 2, found: 2, list: [roomOf('a', 1, 0.1), roomOf('b', 1)], leftOut: 0 },
        { count: 90, found: 90, list: [roomOf('a', 2, 0.2)], leftOut: 89 },
      ],
      200,
    );
    expect(rooms.list).toEqual([roomOf('a', 3, 0.3), roomOf('b', 1)]);
    // More cannot be known: those that are not listed may be the same.
    expect(rooms).toMatchObject({ count: 90, leftOut: 88 });
  });

  it('is added up where it was counted', () => {
    const counts = { closes: { client: 1 }, refusals: {}, gaps: { epoch: 2 } };
    const traffic = { since: 5, total: FIGURES, perSecond: FIGURES, ...counts };
    expect(mergedTraffic([null, null])).toBe(null);
    expect(mergedTraffic([null, traffic, { ...traffic, since: 3 }])).toMatchObject({
      since: 3,
      total: { delivered: 2.2, dropped: 12 },
      closes: { client: 2 },
      gaps: { epoch: 4 },
    });
  });

  it('is added up second by second, from the newest on', () => {
    const samples = (...open: number[]) => ({
      open,
      bufferedBytes: [],
      delivered: [],
      bytes: [],
      opened: [],
    });
    expect(addedUp([samples(1, 2, 3), samples(10), samples()]).open).toEqual([1, 2, 13]);
    expect(addedUp([])).toEqual(samples());
  });
});

describe('a process that does not answer', () => {
  it('is gone after three questions, is listed for a minute, and comes back with an answer', () => {
    const answers = new PeerAnswers();
    const state = () => answers.processes.map(({ id, isGone }) => [id, isGone]);
    answers.asked(0);
    for (const id of ['b', 'a']) answers.heard(reportOf(id, { pid: id === 'a' ? 1 : 2 }), 10);
    for (let n = 0; n < 3; n++) {
      answers.asked(n);
      answers.heard(reportOf('a'), 20);
    }
    expect(state()).toEqual([
      ['a', false],
      ['b', false],
    ]);
    answers.asked(30);
    answers.heard(reportOf('a'), 30);
    expect(state()).toEqual([
      ['a', false],
      ['b', true],
    ]);
    expect(answers.reports.map(({ id }) => id)).toEqual(['a']);
    answers.heard(reportOf('b'), 40);
    expect(answers.reports).toHaveLength(2);
    for (let n = 0; n < 4; n++) answers.asked(50);
    answers.asked(60_041);
    expect(state()).toEqual([]);
  });

  it('has missed no question that could not be sent', () => {
    const answers = new PeerAnswers();
    answers.heard(reportOf('a'), 0);
    for (let n = 0; n < 9; n++) {
      answers.asked(n);
      answers.notSent();
    }
    expect(answers.processes).toMatchObject([{ id: 'a', isGone: false }]);
  });
});

describe('processes that ask each other', () => {
  const hubs: Hub[] = [];
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(hubs.splice(0).map((hub) => hub.close()));
  });

  async function openHub() {
    const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
    hubs.push(hub);
    await hub.start();
    return hub;
  }

  it('leave nothing in the log, and say nothing to apps', async () => {
    const hub = await openHub();
    const before = await hub.position();
    const heard: string[] = [];
    hub.peers.listen((text) => heard.push(text));
    const { address } = hub.peers;
    await hub.peers.send('to all');
    await hub.peers.send('to me', address);
    await hub.peers.send('to another', 'other');
    expect(heard).toEqual(['to all', 'to me']);
    expect(await hub.position()).toBe(before);
    expect(hub.rooms()).toEqual([]);
    expect(() => hub.stream('sse:inspect')).toThrow(/reserved/);
    await expect(hub.publish('sse:inspect', { data: 'x' })).rejects.toThrow(/reserved/);
  });

  it('send nothing to what cannot be a process', async () => {
    const hub = await openHub();
    const send = jest.spyOn(hub.peers, 'send');
    const peers = new Peers(hub.peers, { report: () => reportOf('me'), act: () => true });
    for (const process of ['sse:control', 'orders', 'x'.repeat(1_000_000), '']) {
      expect(await peers.act(process, { close: 'connection', id: '1' })).toBeUndefined();
    }
    expect(send).not.toHaveBeenCalled();
  });

  it('do not decode what is for another', async () => {
    const hub = await openHub();
    hub.peers.listen(() => {});
    const message = jest.fn(() => ({ data: 'x' }));
    const rooms = ['sse:inspect', 'other'];
    const event = { epoch: 'e', position: undefined, rooms, body: '' };
    hub.delivery.event(Object.defineProperty(event, 'message', { get: message }) as never);
    expect(message).not.toHaveBeenCalled();
  });

  it('ignore what is no message of this version, and answer at most 20 questions a second', async () => {
    const hub = await openHub();
    const report = jest.fn(() => reportOf('me'));
    const act = jest.fn(() => true);
    const failed = jest.spyOn(Logger.prototype, 'error');
    const peers = new Peers(hub.peers, { report, act });
    const me = hub.peers.address;
    const look = lookFrom({});
    const ask = { look, counts: false, samples: false };
    for (const text of [
      'x',
      '7',
      'null',
      '{}',
      '{"v":1}',
      JSON.stringify({ v: 2, from: 'another1', ask, view: 1 }),
      JSON.stringify({ v: 1, from: me, ask, view: 1 }),
      JSON.stringify({ v: 1, from: 'a room', ask, view: 1 }),
      '{"v":1,"from":"another1","ask":null,"view":1}',
      '{"v":1,"from":"another1","answer":null,"view":1}',
      '{"v":1,"from":"another1","act":7,"call":1}',
    ]) {
      await hub.peers.send(text);
    }
    expect(report).not.toHaveBeenCalled();
    expect(act).not.toHaveBeenCalled();
    expect(failed).not.toHaveBeenCalled();
    jest.spyOn(performance, 'now').mockReturnValue(5_000);
    for (let n = 0; n < 30; n++) {
      await hub.peers.send(JSON.stringify({ v: 1, from: 'another1', ask, view: 1 }));
    }
    expect(report).toHaveBeenCalledTimes(20);
    await hub.peers.send(
      JSON.stringify({ v: 1, from: 'another1', act: { close: 'x' }, call: 1 }),
      me,
    );
    expect(act).toHaveBeenCalledTimes(1);
    peers.stop();
    await hub.peers.send(
      JSON.stringify({ v: 1, from: 'another1', act: { close: 'x' }, call: 1 }),
      me,
    );
    expect(act).toHaveBeenCalledTimes(1);
  });
});

describe('what a page looks for', () => {
  it('is taken from a query of any kind', () => {
    expect(lookFrom(undefined)).toEqual({ search: '', slow: false, process: '' });
    expect(lookFrom({ search: ['a'], slow: '0', process: 7 })).toEqual(lookFrom(null));
    expect(lookFrom({ search: ` ${'x'.repeat(300)}`, slow: '1', process: 'p' })).toEqual({
      search: 'x'.repeat(99),
      slow: true,
      process: 'p',
    });
  });

  it('is found as it is written, in capitals or not', () => {
    expect(matcher('a.b')('xA.By')).toBe(true);
    expect(matcher('a.b')('axb')).toBe(false);
    expect(matcher('(')('(')).toBe(true);
    expect(matcher('[a-z]+\\')('b')).toBe(false);
  });
});
