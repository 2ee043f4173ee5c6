// What a contract costs: one check per emitted event, whatever the number of readers.
//
// Measured: the time of `emit()` in one process without readers, with no contract and with one of
// each schema library, in turns in short rounds; and the CPU per event that reached one of 1 000
// readers, of an app with a contract beside one without, as in `fan-out`. Not shown: schemas that
// are larger than four fields.
import { Test } from '@nestjs/testing';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { sseContract } from 'nestjs-eventstream/contract';
import {
  compare,
  contestant,
  cpuPerDelivery,
  goal,
  race,
  readers,
  report,
  withContestants,
} from './race.mjs';

const EMITS = 20_000;
const ROUNDS = 9;
const DATA = { symbol: 'ACME', price: 102.5, at: 1_700_000_000_000, note: 'x'.repeat(80) };
const SCHEMAS = {
  none: undefined,
  zod: z.object({ symbol: z.string(), price: z.number(), at: z.int(), note: z.string() }),
  valibot: v.object({ symbol: v.string(), price: v.number(), at: v.number(), note: v.string() }),
  arktype: type({ symbol: 'string', price: 'number', at: 'number', note: 'string' }),
};

const hubs = await Promise.all(
  Object.entries(SCHEMAS).map(async ([name, schema]) => {
    const contract = schema && sseContract({ path: 'a', events: { price: schema } });
    const imports = [SseModule.forRoot({ contract })];
    const app = await Test.createTestingModule({ imports }).compile();
    return { name, app: await app.init(), hub: app.get(Broadcaster), times: [] };
  }),
);
for (let round = 0; round <= ROUNDS; round++) {
  for (const { hub, times } of hubs) {
    const before = process.cpuUsage();
    for (let n = 0; n < EMITS; n++) await hub.to('a').emit('price', DATA);
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) times.push((user + system) / EMITS);
  }
}
for (const { app } of hubs) await app.close();
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const plain = hubs[0].times;
const emits = Object.fromEntries(
  hubs.map(({ name, times }) => [
    name,
    {
      'µs per emit': median(times),
      '× none': median(times.map((time, round) => time / plain[round])),
    },
  ]),
);

const count = readers(1_000);
const ONE = { turns: 30, burst: 1, gapMs: 20, perReader: 30, readers: count };
const contestants = [
  contestant('ours'),
  contestant('ours + contract', { server: 'ours', options: { hasContract: true } }),
];
const fanOut = await withContestants(contestants, async (all) => {
  for (const each of all) await each.open({ count });
  const [, ...rounds] = await race(all, ROUNDS + 1, (each) => cpuPerDelivery(each, ONE));
  return compare(rounds, 'ours');
});

report(
  'contract',
  {
    'one emit(), no readers': emits,
    [`${count} readers, one event per turn`]: Object.fromEntries(
      Object.entries(fanOut).map(([name, { ratio, figure }]) => [
        name,
        { '× ours': ratio, 'µs per delivery': figure },
      ]),
    ),
  },
  [goal('one per turn: ours + contract ÷ ours', fanOut['ours + contract'].ratio, 1.05)],
);
