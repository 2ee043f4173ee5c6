// The promise of the library over random schedules. MODEL_RUNS=100000 npm test -- test/model makes
// it long; MODEL_SEED=… begins at that seed, so MODEL_SEED=… MODEL_RUNS=1 repeats one schedule.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Run } from '../../lib/hub/run.js';
import { runModel, type ModelOptions } from './model.js';

const RUNS = Number(process.env['MODEL_RUNS'] ?? 600);
const FIRST_SEED = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 1e9));

interface World extends ModelOptions {
  /**
   * How many gaps a run tells on average: at least so many, or the world does not show what it
   * should.
   */
  readonly gaps: number;
}

const CALM = {
  publish: 20,
  goOn: 25,
  arrive: 20,
  receive: 20,
  keepAlive: 4,
  say: 2,
  readSlowly: 3,
  readAgain: 2,
  drop: 2,
  return: 3,
  failOver: 0,
  cut: 0,
  loseNotification: 0,
  loseEverything: 0,
};
const FLAPPING = { ...CALM, publish: 10, goOn: 40, drop: 12, return: 14 };

const WORLDS: [string, World][] = [
  ['everything is kept', { steps: 400, maxEvents: 1_000, often: CALM, gaps: 0 }],
  ['clients drop all the time', { steps: 600, maxEvents: 1_000, often: FLAPPING, gaps: 0 }],
  ['rooms keep four events', { steps: 400, maxEvents: 4, often: CALM, gaps: 0.1 }],
  [
    'the log loses its last writes',
    { steps: 600, maxEvents: 40, often: { ...CALM, drop: 4, return: 6, failOver: 1 }, gaps: 0.1 },
  ],
];

/** How many events came to a run that held some: direct readers took them as one. */
let joined = 0;
beforeAll(() => {
  const begun = new WeakSet<Run>();
  const add = Object.getOwnPropertyDescriptor(Run.prototype, 'add')?.value as Run['add'];
  Run.prototype.add = function (this: Run, event) {
    if (begun.has(this)) joined++;
    begun.add(this);
    add.call(this, event);
  };
});

describe('a client that drops at any step and returns to any process', () => {
  // feature: 47
  // fault: 13
  it.each(WORLDS)(
    'gets each event once and in order, or is told, when %s',
    async (_world, { gaps: expected, ...options }) => {
      joined = 0;
      console.log(`MODEL_SEED=${FIRST_SEED} MODEL_RUNS=${RUNS}`);
      let events = 0;
      let ended = 0;
      let told = 0;
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
        const { events: published, gaps, ends, ...wrong } = await runModel(seed, options);
        const nothing = {
          missed: [],
          doubled: [],
          inverted: [],
          needless: [],
          endless: [],
          withheld: [],
        };
        expect({ seed, ...wrong }).toEqual({ seed, ...nothing });
        events += published;
        ended += ends;
        told += gaps;
      }
      expect(events).toBeGreaterThan(RUNS * 20);
      expect(joined).toBeGreaterThan(RUNS);
      expect(ended).toBeGreaterThanOrEqual(RUNS > 50 ? RUNS / 4 : 0);
      expect(told / RUNS).toBeGreaterThanOrEqual(RUNS > 50 ? expected : 0);
    },
    3_600_000,
  );
});
