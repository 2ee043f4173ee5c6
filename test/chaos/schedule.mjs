// Runs the faults of a world at random, as its seed says.
import { setTimeout as sleep } from 'node:timers/promises';
import { TRACKS } from './faults.mjs';

/** Neither an app nor Redis is killed before it can have come up. */
const FIRST_AFTER_MS = 1_000;

export class Schedule {
  /** How often each kind happened. */
  counts = {};
  /** Those that could not be done, and why. */
  failed = [];
  /** When each began and was over. */
  history = [];
  #abort = new AbortController();

  constructor({ world, random, tracks, pace, without, only, log }) {
    Object.assign(this, { world, random, log });
    const isChosen = (kind) =>
      (only.length === 0 || only.some((name) => kind.startsWith(name))) &&
      !without.some((name) => kind.startsWith(name));
    this.tracks = tracks.map((name) => {
      const { everyMs, faults } = TRACKS[name];
      const kinds = [...faults].filter(([kind]) => isChosen(kind));
      return { name, everyMs: everyMs / pace, kinds };
    });
  }

  start() {
    this.over = Promise.all(this.tracks.map((track) => this.#run(track)));
  }

  /** Resolves when the last of them has been undone. */
  async stop() {
    this.#abort.abort();
    await this.over;
  }

  async #run({ name, everyMs, kinds }) {
    if (kinds.length === 0) return;
    const random = this.random.fork(`faults of ${name}`);
    const { signal } = this.#abort;
    await this.#pause(FIRST_AFTER_MS);
    while (!signal.aborted) {
      await this.#pause((0.1 + 0.9 * random.next()) * everyMs);
      if (signal.aborted) return;
      const kind = random.weighted(kinds.map(([key, { weight }]) => [weight, key]));
      // A fault draws from a generator of its own, so that one that fails early does not change
      // those after it.
      await this.#do(kind, new Map(kinds).get(kind), random.fork(String(random.int(0, 2 ** 30))));
    }
  }

  async #do(kind, { run }, random) {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.log?.(`fault: ${kind}`);
    const fault = { kind, from: Date.now() };
    this.history.push(fault);
    try {
      await run(this.world, random);
    } catch (error) {
      this.failed.push({ kind, why: error.message });
      this.log?.(`fault: ${kind} failed: ${error.message}`);
    }
    fault.to = Date.now();
    this.log?.(`fault: ${kind} is over`);
  }

  #pause(ms) {
    return sleep(ms, undefined, { signal: this.#abort.signal }).catch(() => {});
  }
}
