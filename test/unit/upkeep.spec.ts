import { describe, expect, it } from '@jest/globals';
import { whatIsDue, type Due, type ConnectionStatus } from '../../lib/connection/upkeep.js';

/** Open, written to at 0, with keep-alives every 100, and stalled after 40. */
const standing = (some: Partial<ConnectionStatus> = {}): ConnectionStatus => ({
  isOpen: true,
  activeAt: 0,
  blockedAt: undefined,
  endsAt: Infinity,
  authorization: undefined,
  keepAliveMs: 100,
  stallTimeoutMs: 40,
  ...some,
});

const nothing = (next: number): Due => ({ task: undefined, next });
const asked = (askedAt: number, isAsking = false): Partial<ConnectionStatus> => ({
  authorization: { askedAt, isAsking },
});

describe('what is due', () => {
  it.each<[string, Partial<ConnectionStatus>, number, Due]>([
    ['a keep-alive is not, yet', {}, 99, nothing(100)],
    ['a keep-alive, after an interval without a write', {}, 100, { task: 'keep-alive', next: 200 }],
    [
      'nothing ever, where there is nothing to do',
      { keepAliveMs: undefined },
      9e9,
      nothing(Infinity),
    ],
    ['no keep-alive for a client that takes nothing', { blockedAt: 90 }, 120, nothing(130)],
    ['a stall', { blockedAt: 90 }, 130, { task: 'stall', next: Infinity }],
    ['no stall without a limit', { blockedAt: 90, stallTimeoutMs: undefined }, 990, nothing(1_090)],
    [
      'a stall of what has ended, whose end is not taken',
      { isOpen: false, blockedAt: 0 },
      40,
      { task: 'stall', next: Infinity },
    ],
    [
      'nothing of what has ended but its stall',
      { isOpen: false, blockedAt: 30, endsAt: 0, ...asked(0) },
      60,
      nothing(70),
    ],
    [
      'the end, before everything else',
      { endsAt: 100, ...asked(0) },
      100,
      { task: 'duration', next: Infinity },
    ],
    [
      'the end, of a client that takes nothing',
      { endsAt: 100, blockedAt: 90 },
      100,
      { task: 'duration', next: Infinity },
    ],
    ['a look at the end', { endsAt: 50 }, 0, nothing(50)],
    ['a keep-alive and then the end', { endsAt: 150 }, 100, { task: 'keep-alive', next: 150 }],
  ])('%s', (_what, some, now, due) => {
    expect(whatIsDue(standing(some), now)).toEqual(due);
  });
});

describe('of a stream whose client has to be allowed', () => {
  it.each<[string, Partial<ConnectionStatus>, number, Due]>([
    ['nothing, within an interval', asked(0), 99, nothing(100)],
    [
      'a question instead of the keep-alive, which follows it',
      asked(0),
      100,
      { task: 'ask', next: 200 },
    ],
    [
      'a question though events come',
      { activeAt: 95, ...asked(0) },
      100,
      { task: 'ask', next: 195 },
    ],
    [
      'a question before a keep-alive, though it was asked lately',
      asked(60),
      100,
      { task: 'ask', next: 200 },
    ],
    ['no keep-alive while it is being asked', asked(60, true), 110, nothing(160)],
    [
      'no permission, when nobody answers',
      asked(60, true),
      160,
      { task: 'unanswered', next: Infinity },
    ],
    [
      'a question for a client that takes nothing',
      { blockedAt: 90, ...asked(0), stallTimeoutMs: undefined },
      100,
      { task: 'ask', next: 200 },
    ],
    [
      'a question every 15 s, where there are no keep-alives',
      { keepAliveMs: undefined, ...asked(0) },
      15_000,
      { task: 'ask', next: 30_000 },
    ],
    [
      'no permission after 15 s, where there are none',
      { keepAliveMs: undefined, ...asked(0, true) },
      15_000,
      { task: 'unanswered', next: Infinity },
    ],
    ['its stall', { blockedAt: 90, ...asked(0, true) }, 130, { task: 'stall', next: Infinity }],
  ])('%s', (_what, some, now, due) => {
    expect(whatIsDue(standing(some), now)).toEqual(due);
  });
});
