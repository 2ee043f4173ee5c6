// The promise of the library with its log on Redis: a real server, real connections. Options as for
// resume.spec.ts.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { runModel, type ModelOptions } from './model.js';
import { RedisModelLog } from './redis-log.js';

const RUNS = Math.ceil(Number(process.env['MODEL_RUNS'] ?? 600) / 10);
const FIRST_SEED = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 1e9));

const CALM = {
  publish: 20,
  goOn: 25,
  arrive: 20,
  receive: 20,
  keepAlive: 4,
  say: 2,
  readSlowly: 3,
  readAgain: 2,
  drop: 6,
  return: 8,
  failOver: 0,
  cut: 0,
  loseNotification: 0,
  loseEverything: 0,
};

const WORLDS: [string, ModelOptions][] = [
  ['all goes well', { steps: 400, maxEvents: 1_000, often: CALM }],
  [
    'notifications are lost',
    { steps: 500, maxEvents: 1_000, often: { ...CALM, loseNotification: 4 } },
  ],
  ['subscriptions are cut', { steps: 500, maxEvents: 1_000, often: { ...CALM, cut: 0.4 } }],
  [
    'rooms keep four events',
    { steps: 400, maxEvents: 4, often: { ...CALM, loseNotification: 2, cut: 0.2 } },
  ],
  [
    'Redis loses everything',
    {
      steps: 1_000,
      maxEvents: 1_000,
      often: { ...CALM, loseNotification: 1, loseEverything: 0.3 },
    },
  ],
  [
    'the store goes back, and another server answers',
    {
      steps: 600,
      maxEvents: 1_000,
      often: { ...CALM, loseNotification: 1, cut: 0.2, backUp: 2, goBack: 0.6 },
    },
  ],
  [
    'the store is put back in place',
    {
      steps: 800,
      maxEvents: 1_000,
      often: { ...CALM, loseNotification: 1, cut: 0.2, return: 3, backUp: 0.4, goBackInPlace: 1.5 },
    },
  ],
];

describeRedis(
  'with the log on Redis, a client that drops at any step and returns to any process',
  () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.stop());

    // feature: 47
    // fault: 13
    it.each(WORLDS)(
      'gets each event once and in order, or is told, when %s',
      async (_world, options) => {
        console.log(`MODEL_SEED=${FIRST_SEED} MODEL_RUNS=${RUNS * 10}`);
        let events = 0;
        let ended = 0;
        for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
          const {
            events: published,
            gaps: _gaps,
            ends,
            ...wrong
          } = await runModel(
            seed,
            options,
            (schedule, maxEvents) => new RedisModelLog(server, schedule, maxEvents),
          );
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
        }
        expect(events).toBeGreaterThan(RUNS * 20);
        expect(ended).toBeGreaterThanOrEqual(RUNS > 50 ? RUNS / 4 : 0);
      },
      3_600_000,
    );
  },
);
