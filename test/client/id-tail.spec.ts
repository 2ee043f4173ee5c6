import { describe, expect, it } from '@jest/globals';
import { withTail } from '../../lib/client/id-tail.js';

describe('what an id says beside its cursors', () => {
  it.each([
    ['1.e.b', '1.e.a~r.aaaaa~j.key', '1.e.b~r.aaaaa~j.key'],
    ['1.e.b~r.bbbbb', '1.e.a~r.aaaaa~j.key', '1.e.b~r.bbbbb'],
    ['1.e.b~s.markmark', '1.e.a~r.aaaaa', '1.e.b~r.aaaaa~s.markmark'],
    ['1.e.b', '1.e.a~r.aaaaa~s.markmark', '1.e.b~r.aaaaa'],
    ['1.e.b', '1.e.a~n.e.1.label~r.aaaaa~k.key', '1.e.b~r.aaaaa~k.key'],
    ['1.e.b~1.f.c', '1.e.a~1.f.c', '1.e.b~1.f.c'],
    ['1.e.b', undefined, '1.e.b'],
    ['', '1.e.a~r.aaaaa', ''],
    ['42', '1.e.a~r.aaaaa', '42'],
  ])('%s after %s is %s', (id, before, kept) => {
    expect(withTail(id, before)).toBe(kept);
  });
});
