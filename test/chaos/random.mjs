// Numbers that a seed repeats.

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /**
   * A generator of its own for each part of the world: one part that draws more does not change the
   * others.
   */
  fork(name) {
    let seed = this.state;
    for (const char of name) seed = Math.imul(seed ^ char.charCodeAt(0), 0x01000193);
    return new Random(seed);
  }

  /** From 0 to below 1: mulberry32. */
  next() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Both ends included. */
  int(min, max) {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[this.int(0, list.length - 1)];
  }

  /** One of `[weight, value]` pairs. */
  weighted(pairs) {
    let at = this.next() * pairs.reduce((sum, [weight]) => sum + weight, 0);
    return (pairs.find(([weight]) => (at -= weight) < 0) ?? pairs.at(-1))[1];
  }

  /** Different ones. */
  sample(list, count) {
    const left = [...list];
    const taken = [];
    while (taken.length < count && left.length > 0) {
      const at = this.int(0, left.length - 1);
      taken.push(left[at]);
      left[at] = left.at(-1);
      left.pop();
    }
    return taken;
  }
}
