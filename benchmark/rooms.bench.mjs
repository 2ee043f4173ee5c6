// What rooms and filters cost: a thousand readers in a hundred rooms, with a filter each.
//
// Measured: as in fan-out.bench.mjs, with one event per turn for each reader: of one room with all
// readers, or of a hundred rooms with ten readers each, so that a hundred different events are
// published, kept and encoded per turn. The filters are a function of its own for each connection,
// which looks at the data and lets it pass. Not shown: filters that are expensive, or that leave
// most out.
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

const count = readers(1_000);
const ROUNDS = 9;
const TURNS = 25;
const hundred = Array.from({ length: 100 }, (_, n) => `room-${n}`);
const CASES = {
  'one room': { rooms: ['all'] },
  '100 rooms': { rooms: hundred },
  '100 rooms, filters': { rooms: hundred, isFiltered: true },
};

const rows = await withContestants(
  Object.entries(CASES).map(([name, { isFiltered }]) =>
    contestant(name, { server: 'ours', options: { isFiltered } }),
  ),
  async (all) => {
    for (const each of all) {
      await each.open({
        count,
        paths: CASES[each.name].rooms.map((room) => `/events?room=${room}`),
      });
    }
    const [, ...rounds] = await race(all, ROUNDS + 1, (each) => {
      const { rooms } = CASES[each.name];
      return cpuPerDelivery(each, {
        turns: TURNS,
        gapMs: 20,
        rooms,
        perReader: TURNS,
        readers: count,
      });
    });
    return compare(rounds, 'one room');
  },
);
const table = Object.entries(rows).map(([name, { ratio, figure }]) => [
  name,
  { '× one room': ratio, 'µs per delivery': figure },
]);
report('rooms', { [`${count} readers`]: Object.fromEntries(table) }, [
  goal('100 rooms with a filter each ÷ one room', rows['100 rooms, filters'].ratio, 1.5),
]);
