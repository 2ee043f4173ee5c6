import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Subscriber } from 'rxjs';
import { Stream } from '../../lib/connection/stream.js';
import { Registry } from '../../lib/connection/registry.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { nextTurn, RecordingResponse, streamResponse } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

const request = { headers: {} };
const settings = streamSettings({ retry: 1, keepAlive: { intervalMs: 1_000 } });

function fail(): never {
  throw new Error('broken');
}

/**
 * Takes all that it is told as a failure of its own, at once; what `subscribe(f)` makes tells it
 * later.
 */
class ThrowingSubscriber extends Subscriber<unknown> {
  protected override _next(): void {
    fail();
  }
}

/** Streams of one process, the first of which fails in some way. */
function open(count: number, connections = openRegistry()) {
  const streams = Array.from({ length: count }, () => {
    const raw = new RecordingResponse();
    connections.admit(request);
    const connection = new Stream(request, streamResponse(raw), settings, connections);
    connections.add(connection);
    connection.open();
    return { raw, connection };
  });
  const [broken, ...others] = streams as [(typeof streams)[0], ...typeof streams];
  return { connections, broken, others };
}

let logged: jest.SpiedFunction<Logger['error']>;

beforeEach(() => {
  jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => {});
  logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

describe('what one connection throws', () => {
  it('keeps no other from its keep-alive, now and later', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const { connections, broken, others } = open(3);
    jest.spyOn(broken.connection, 'check').mockImplementation(fail);
    for (const times of [1, 2]) {
      jest.advanceTimersByTime(1_600);
      await nextTurn();
      for (const { raw } of others) {
        expect(raw.chunks.join('').split('keep-alive').length - 2).toBe(times);
      }
    }
    expect(await broken.connection.closed).toBe('error');
    expect(connections.count).toBe(2);
  });

  it.each<[string, (connections: Registry) => unknown, string]>([
    ['closeAll()', (connections) => connections.closeAll('enough'), 'enough'],
    ['revoke()', (connections) => connections.revoke(() => true), 'auth'],
    ['the drain', (connections) => connections.drain(100), 'shutdown'],
  ])('keeps no other from being ended by %s', async (_title, end, reason) => {
    const { connections, broken, others } = open(3);
    for (const way of ['close', 'revoke', 'closeForShutdown'] as const) {
      jest.spyOn(broken.connection, way).mockImplementation(fail);
    }
    await end(connections);
    expect(await broken.connection.closed).toBe('error');
    for (const { connection } of others) expect(await connection.closed).toBe(reason);
    expect(connections.count).toBe(0);
    expect(logged).toHaveBeenCalledTimes(1);
  });
});

describe('what others throw when they hear of a connection', () => {
  it('changes nothing: it is open, is counted, and gives its place back', () => {
    const connections = openRegistry({ limits: { maxConnections: 1 } });
    connections.opened$.subscribe(new ThrowingSubscriber());
    connections.closed$.subscribe(new ThrowingSubscriber());
    const { broken } = open(1, connections);
    expect([broken.connection.state, connections.count]).toEqual(['open', 1]);
    expect(connections.admit(request)).toMatchObject({ reason: 'process' });
    broken.connection.close();
    expect(connections.count).toBe(0);
    expect(connections.admit(request)).toBeUndefined();
    expect(logged).toHaveBeenCalledTimes(2);
  });

  it('changes nothing where it is the logger', () => {
    jest.spyOn(Logger, 'isLevelEnabled').mockReturnValue(true);
    for (const level of ['debug', 'error'] as const) {
      jest.spyOn(Logger.prototype, level).mockImplementation(fail);
    }
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const heard: string[] = [];
    const connections = openRegistry();
    connections.opened$.subscribe(() => heard.push('opened'));
    connections.closed$.subscribe(({ reason }) => heard.push(`closed ${reason}`));
    const { broken } = open(1, connections);
    broken.connection.close('enough');
    expect(heard).toEqual(['opened', 'closed enough']);
    expect(broken.raw.destroyed).toBe(false);
    expect(connections.count).toBe(0);
  });
});
