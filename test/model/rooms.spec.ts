// The promise of streams whose rooms change over random schedules. ROOMS_RUNS and ROOMS_SEED as
// MODEL_RUNS and MODEL_SEED of resume.spec.ts.
import { describe, expect, it } from '@jest/globals';
import { runRoomsModel, type RoomsModelOptions } from './rooms-model.js';

const RUNS = Number(process.env['ROOMS_RUNS'] ?? process.env['MODEL_RUNS'] ?? 60);
const FIRST_SEED = Number(
  process.env['ROOMS_SEED'] ?? process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 1e9),
);

const CALM = {
  publish: 14,
  change: 5,
  goOn: 30,
  arrive: 20,
  receive: 20,
  keepAlive: 3,
  readSlowly: 2,
  readAgain: 2,
  drop: 2,
  vanish: 0,
  notice: 0,
  return: 4,
  failOver: 0,
};
const FLAPPING = { ...CALM, goOn: 40, drop: 8, return: 12 };

const WORLDS: [string, RoomsModelOptions][] = [
  ['everything is kept', { steps: 400, maxEvents: 1_000, often: CALM }],
  ['clients drop all the time', { steps: 500, maxEvents: 1_000, often: FLAPPING }],
  [
    'servers do not notice it',
    { steps: 500, maxEvents: 1_000, often: { ...CALM, drop: 0, vanish: 5, notice: 3, return: 8 } },
  ],
  ['rooms keep four events', { steps: 400, maxEvents: 4, often: CALM }],
  [
    'the log loses its last writes',
    { steps: 500, maxEvents: 40, often: { ...CALM, drop: 4, return: 6, failOver: 1 } },
  ],
];

const NOTHING = {
  missed: [],
  doubled: [],
  inverted: [],
  needless: [],
  foreign: [],
  forgotten: [],
  withheld: [],
};

/** Once wrong. */
const SHOWN: [string, number, string][] = [
  [
    'an event of an old and a new room before older ones of the new',
    5205,
    'servers do not notice it',
  ],
  ['an event of two rooms twice, with the rest after a gap', 6204, 'rooms keep four events'],
  ['a rewind without what another room had lost', 22_826, 'the log loses its last writes'],
  ['a room that joins without what another had lost', 20_970, 'rooms keep four events'],
  ['an event of two joins at a return twice', 174, 'clients drop all the time'],
  ['one that the first of them gave before the other began', 116, 'servers do not notice it'],
  [
    'what was before it left and joined again, also if the log has lost that it left',
    26_061_140,
    'the log loses its last writes',
  ],
];

describe('a client whose rooms change at any step', () => {
  it.each(SHOWN)('does not get %s (%d)', async (_what, seed, world) => {
    const options = new Map(WORLDS).get(world)!;
    const { events, changes, gaps: _gaps, ...wrong } = await runRoomsModel(seed, options);
    expect({ seed, ...wrong }).toEqual({ seed, ...NOTHING });
    expect(Math.min(events, changes)).toBeGreaterThan(0);
  });

  it.each(WORLDS)(
    'gets the events of its rooms once and in order, or is told, when %s',
    async (_world, options) => {
      console.log(`ROOMS_SEED=${FIRST_SEED} ROOMS_RUNS=${RUNS}`);
      const count = { events: 0, changes: 0, gaps: 0 };
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
        const { events, changes, gaps, ...wrong } = await runRoomsModel(seed, options);
        if (Object.values(wrong).flat().length > 0) console.log(`wrong: seed=${seed}`);
        expect({ seed, ...wrong }).toEqual({ seed, ...NOTHING });
        count.events += events;
        count.changes += changes;
        count.gaps += gaps;
      }
      expect(count.events).toBeGreaterThan(RUNS * 20);
      expect(count.changes).toBeGreaterThan(RUNS * 5);
    },
    3_600_000,
  );
});
