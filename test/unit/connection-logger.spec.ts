import { afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ConnectionLogger } from '../../lib/connection/connection-logger.js';

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

it('a flood of refusals is one line in ten seconds, with how many there were since the last', () => {
  jest.useFakeTimers();
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
  const logs = new ConnectionLogger();
  const refuse = (): void => logs.refusal('process', { headers: {}, ip: '192.0.2.1' }, 100);
  for (let second = 0; second <= 20; second++) {
    refuse();
    jest.advanceTimersByTime(1_000);
  }
  expect(warn.mock.calls).toEqual(
    [1, 10, 10].map((refused) => [expect.objectContaining({ refused })]),
  );
});
