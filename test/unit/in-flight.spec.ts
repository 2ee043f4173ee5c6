import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { HubEvent } from '../../lib/log/event.js';
import { encodeBody } from '../../lib/wire/frame.js';
import { InFlight } from '../../lib/hub/in-flight.js';
import { collector } from '../support/collector.js';

function eventAt(position: number, epoch = 'e'): HubEvent {
  const message = { type: 'n', data: position };
  return new HubEvent({ epoch, position, rooms: ['a'], message, body: encodeBody(message) });
}

const idAt = (position: number, epoch?: string): string => eventAt(position, epoch).id ?? '';

function inFlightWith(...positions: number[]): InFlight {
  const inFlight = new InFlight();
  for (const position of positions) inFlight.enter(eventAt(position));
  return inFlight;
}

describe('the events inside operators', () => {
  it('pass the cursor on as they come out, also past those that were dropped', () => {
    const inFlight = inFlightWith(10, 20, 30, 40);
    expect([10, 20, 30, 40, 50].map((at) => inFlight.holds(idAt(at)))).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    inFlight.cameOut(idAt(20));
    expect([inFlight.lastOut, inFlight.isEmpty]).toEqual([20, false]);
    expect([10, 20, 30].map((at) => inFlight.holds(idAt(at)))).toEqual([false, false, true]);
    inFlight.cameOut(idAt(10));
    expect(inFlight.lastOut).toBe(20);
    inFlight.cameOut(idAt(40));
    expect([inFlight.lastOut, inFlight.isEmpty, inFlight.holds(idAt(30))]).toEqual([
      40,
      true,
      false,
    ]);
  });

  it('are known by the whole of their ids: not by ids of another log, of several hubs or of the app', () => {
    const inFlight = inFlightWith(10, 20);
    for (const id of [idAt(10, 'f'), `${idAt(10)}~${idAt(10, 'f')}`, '10', '', 'a']) {
      expect([id, inFlight.holds(id)]).toEqual([id, false]);
      inFlight.cameOut(id);
    }
    expect(inFlight.lastOut).toBeUndefined();
  });

  it('are a thousand at most, and the oldest are forgotten', () => {
    const inFlight = inFlightWith(...Array.from({ length: 1_500 }, (_none, n) => n + 1));
    expect([499, 500, 1_500].map((at) => inFlight.holds(idAt(at)))).toEqual([false, true, true]);
  });

  it('are not held by it', async () => {
    const inFlight = new InFlight();
    const entered = Array.from({ length: 300 }, (_none, n) => {
      const event = eventAt(n + 1);
      inFlight.enter(event);
      return new WeakRef(event);
    });
    await turn();
    collector()();
    expect(entered.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(inFlight.holds(idAt(7))).toBe(true);
  });
});

describe('the position that may be written', () => {
  it.each([
    ['nothing is inside', [], [], 50, false, { position: 50, isHeld: false }],
    ['all has come out', [10, 20], [20], 20, false, { position: 20, isHeld: false }],
    ['some is inside', [10, 20], [10], 20, false, { position: 10, isHeld: true }],
    ['nothing has come out yet', [10, 20], [], 20, false, { position: 5, isHeld: true }],
    ['the client still catches up', [], [], 50, true, { position: 5, isHeld: true }],
    ['what came out is further', [70], [70], 50, false, { position: 70, isHeld: false }],
  ])('when %s', (_title, entered, out, reached, isCatchingUp, expected) => {
    const inFlight = inFlightWith(...entered);
    inFlight.lastOut = 5;
    for (const position of out) inFlight.cameOut(idAt(position));
    expect(inFlight.position('e', reached, isCatchingUp)).toEqual({ epoch: 'e', ...expected });
  });

  it('is none before the client has been told of another log', () => {
    const inFlight = inFlightWith(10, 20);
    inFlight.cameOut(idAt(10));
    inFlight.restart();
    expect(inFlight.position('f', 50, true).position).toBeUndefined();
    expect([inFlight.holds(idAt(20)), inFlight.isEmpty]).toEqual([false, true]);
  });
});
