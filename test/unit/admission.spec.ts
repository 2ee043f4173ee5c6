import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Admission } from '../../lib/connection/admission.js';
import type { HttpRequest } from '../../lib/output/request.js';

/** How many keys it remembers. */
const keysOf = (admission: Admission): number =>
  Math.max(admission['byKey'].size, admission['buckets'].size);

const from = (ip: string): HttpRequest => ({ headers: {}, ip });

describe('Admission', () => {
  // feature: 66
  it('never has more places taken than there are, whoever comes and leaves when', () => {
    const step = fc.record({ ip: fc.constantFrom('a', 'b', 'c'), leaves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const admission = new Admission({ maxConnections: 5, maxPerKey: 3 });
        const inside: HttpRequest[] = [];
        for (const { ip, leaves } of steps) {
          const own = inside.filter((one) => one.ip === ip);
          const [oldest] = own;
          if (leaves && oldest !== undefined) {
            admission.leave(oldest);
            inside.splice(inside.indexOf(oldest), 1);
            continue;
          }
          const request = from(ip);
          const reason = inside.length >= 5 ? 'process' : own.length >= 3 ? 'key' : undefined;
          expect(admission.enter(request)?.reason).toBe(reason);
          if (reason === undefined) inside.push(request);
        }
        for (const request of inside) admission.leave(request);
        expect(keysOf(admission)).toBe(0);
      }),
    );
  });

  it('lets a burst in, and then as many as the rate allows, each key for itself', () => {
    const admission = new Admission({ connectRate: { perSecond: 10, burst: 20 } });
    for (let n = 0; n < 20; n++) expect(admission.enter(from('a'), 1_000)).toBeUndefined();
    expect(admission.enter(from('a'), 1_000)).toEqual({ reason: 'rate', waitMs: 100 });
    expect(admission.enter(from('b'), 1_000)).toBeUndefined();
    expect(admission.enter(from('a'), 1_099)?.waitMs).toBeCloseTo(1);
    expect(admission.enter(from('a'), 1_100)).toBeUndefined();
    expect(admission.enter(from('a'), 1_100)?.reason).toBe('rate');
  });

  it('takes no token from who is refused for another reason', () => {
    const admission = new Admission({ maxPerKey: 1, connectRate: { perSecond: 1, burst: 2 } });
    const first = from('a');
    expect(admission.enter(first, 0)).toBeUndefined();
    expect(admission.enter(from('a'), 0)?.reason).toBe('key');
    admission.leave(first);
    expect(admission.enter(from('a'), 0)).toBeUndefined();
  });

  // feature: 76
  it('forgets keys whose connects do not count any more', () => {
    const admission = new Admission({ connectRate: { perSecond: 10, burst: 20 } });
    for (let n = 0; n < 100_000; n++) {
      const request = from(`10.0.${n >> 8}.${n & 255}`);
      expect(admission.enter(request, n)).toBeUndefined();
      admission.leave(request);
    }
    expect(keysOf(admission)).toBeLessThanOrEqual(2_001);
  });

  // feature: 76
  it('has a bound also for keys that come faster than they are forgotten', () => {
    const admission = new Admission({ connectRate: { perSecond: 0.001 } });
    for (let n = 0; n < 100_500; n++) {
      const request = from(String(n));
      admission.enter(request, 0);
      admission.leave(request);
    }
    expect(keysOf(admission)).toBe(100_000);
  });
});
