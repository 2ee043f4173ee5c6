import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { HubEvent } from '../../lib/log/event.js';
import { encodeBody } from '../../lib/wire/frame.js';
import { Pipeline } from '../../lib/hub/in-flight.js';
import { collector } from '../support/collector.js';

function eventAt(position: number, epoch = 'e'): HubEvent {
  const message = { type: 'n', data: position };
  return new HubEvent({ epoch, position, rooms: ['a'], message, body: encodeBody(message) });
}

const idAt = (position: number, epoch?: string): string => eventAt(position, epoch).id ?? '';

function pipelineWith(...positions: number[]): Pipeline {
  const pipeline = new Pipeline();
  for (const position of positions) pipeline.enter(eventAt(position));
  return pipeline;
}

describe('the events inside operators', () => {
  it('pass the cursor on as they come out, also past those that were dropped', () => {
    const pipeline = pipelineWith(10, 20, 30, 40);
    expect([10, 20, 30, 40, 50].map((at) => pipeline.holds(idAt(at)))).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    pipeline.cameOut(idAt(20));
    expect([pipeline.left, pipeline.isEmpty]).toEqual([20, false]);
    expect([10, 20, 30].map((at) => pipeline.holds(idAt(at)))).toEqual([false, false, true]);
    pipeline.cameOut(idAt(10));
    expect(pipeline.left).toBe(20);
    pipeline.cameOut(idAt(40));
    expect([pipeline.left, pipeline.isEmpty, pipeline.holds(idAt(30))]).toEqual([40, true, false]);
  });

  it('are known by the whole of their ids: not by ids of another log, of several hubs or of the app', () => {
    const pipeline = pipelineWith(10, 20);
    for (const id of [idAt(10, 'f'), `${idAt(10)}~${idAt(10, 'f')}`, '10', '', 'a']) {
      expect([id, pipeline.holds(id)]).toEqual([id, false]);
      pipeline.cameOut(id);
    }
    expect(pipeline.left).toBeUndefined();
  });

  it('are a thousand at most, and the oldest are forgotten', () => {
    const pipeline = pipelineWith(...Array.from({ length: 1_500 }, (_none, n) => n + 1));
    expect([499, 500, 1_500].map((at) => pipeline.holds(idAt(at)))).toEqual([false, true, true]);
  });

  it('are not held by it', async () => {
    const pipeline = new Pipeline();
    const entered = Array.from({ length: 300 }, (_none, n) => {
      const event = eventAt(n + 1);
      pipeline.enter(event);
      return new WeakRef(event);
    });
    await turn();
    collector()();
    expect(entered.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(pipeline.holds(idAt(7))).toBe(true);
  });
});
