/** Everything random of one run comes from its seed, so that a run can be repeated. */
export class Schedule {
  /** The number of the current step: the time of the model. */
  step = 0;
  private state: number;
  private readonly waiting: (() => void)[] = [];

  constructor(seed: number) {
    this.state = (seed * 2_654_435_761 + 1) >>> 0;
  }

  /** From 0 up to, and without, 1. */
  random(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  /** One of the list, each as often as its weight. */
  weighted<T>(list: readonly (readonly [T, number])[]): T {
    let rest = this.random() * list.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [item, weight] of list) {
      rest -= weight;
      if (rest < 0) return item;
    }
    throw new Error('no weights');
  }

  /** Something slow: goes on when the schedule picks it. */
  pause(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Lets one of the slow things go on. */
  release(): boolean {
    const [next] = this.waiting.splice(this.below(this.waiting.length), 1);
    next?.();
    return next !== undefined;
  }
}
