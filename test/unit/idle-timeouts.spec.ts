import { expect, it } from '@jest/globals';
import { pauseIdleTimeout } from '../../lib/output/idle-timeouts.js';

class Timed {
  destroyed = false;
  constructor(public timeout: number) {}
  setTimeout(ms: number): void {
    this.timeout = ms;
  }
}

it('has nothing to do where there is no timeout', () => {
  expect(pauseIdleTimeout(new Timed(0))).toBeUndefined();
});

it('switches a timeout on again when the last of its streams has ended', () => {
  const session = new Timed(100);
  const [first, second] = [pauseIdleTimeout(session), pauseIdleTimeout(session)];
  expect(session.timeout).toBe(0);
  first?.();
  expect(session.timeout).toBe(0);
  second?.();
  expect(session.timeout).toBe(100);
});

it('leaves a timeout that Node has set for a kept-alive socket', () => {
  const socket = new Timed(100);
  const resume = pauseIdleTimeout(socket);
  socket.setTimeout(5_000);
  resume?.();
  expect(socket.timeout).toBe(5_000);
});
