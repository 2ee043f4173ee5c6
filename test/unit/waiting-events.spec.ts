import { describe, expect, it } from '@jest/globals';
import { mergedInOrder } from '../../lib/hub/waiting-events.js';

const at = (...positions: (number | undefined)[]) => positions.map((position) => ({ position }));

describe('the backlog of two parts of a stream', () => {
  it.each([
    ['the events of both', at(1, 4), at(2, 3, 5), at(1, 2, 3, 4, 5)],
    ['an event of both once', at(1, 3), at(1, 2, 3), at(1, 2, 3)],
    ['those of one, if the other has none', at(), at(1, 2), at(1, 2)],
    [
      'one that is not kept behind the one before it',
      at(1, undefined, 4),
      at(2),
      at(1, undefined, 2, 4),
    ],
    ['also if it is in the other', at(3), at(1, undefined, 4), at(1, undefined, 3, 4)],
    [
      'also if nothing is before it',
      at(undefined, 3),
      at(undefined, 2),
      at(undefined, undefined, 2, 3),
    ],
  ])('is, in the order of the log, %s', (_what, some, others, merged) => {
    expect(mergedInOrder(some, others)).toEqual(merged);
  });
});
