// The promise of state rooms over random schedules. STATE_RUNS and STATE_SEED as MODEL_RUNS and
// MODEL_SEED of resume.spec.ts.
import { describe, expect, it } from '@jest/globals';
import { runStateModel, type StateModelOptions } from './state-model.js';

const RUNS = Number(process.env['STATE_RUNS'] ?? process.env['MODEL_RUNS'] ?? 100);
const FIRST_SEED = Number(
  process.env['STATE_SEED'] ?? process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 1e9),
);

const CALM = {
  set: 12,
  delete: 4,
  setOnCondition: 4,
  plain: 4,
  goOn: 25,
  arrive: 20,
  receive: 20,
  keepAlive: 3,
  readSlowly: 3,
  readAgain: 2,
  drop: 3,
  return: 4,
  failOver: 0,
};
const FLAPPING = { ...CALM, goOn: 40, drop: 12, return: 14 };

const WORLDS: [string, StateModelOptions][] = [
  ['everything is kept', { steps: 400, maxEvents: 1_000, often: CALM }],
  ['rooms keep two events', { steps: 400, maxEvents: 2, often: CALM }],
  ['clients drop all the time', { steps: 500, maxEvents: 4, often: FLAPPING }],
  [
    'the log loses its last writes',
    { steps: 500, maxEvents: 4, often: { ...CALM, drop: 4, return: 6, failOver: 1 } },
  ],
];

describe('a client of state rooms', () => {
  it.each(WORLDS)(
    'has what the server has, when %s',
    async (_world, options) => {
      console.log(`STATE_SEED=${FIRST_SEED} STATE_RUNS=${RUNS}`);
      const count = { changes: 0, states: 0, ends: 0 };
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
        const { changes, states, ends, ...wrong } = await runStateModel(seed, options);
        const nothing = {
          different: [],
          older: [],
          gaps: [],
          missed: [],
          wrongEnds: [],
          conditions: [],
        };
        expect({ seed, ...wrong }).toEqual({ seed, ...nothing });
        count.changes += changes;
        count.states += states;
        count.ends += ends;
      }
      expect(count.changes).toBeGreaterThan(RUNS * 20);
      expect(count.states).toBeGreaterThan(RUNS);
      expect(count.ends).toBeGreaterThan(RUNS / 4);
    },
    3_600_000,
  );
});
