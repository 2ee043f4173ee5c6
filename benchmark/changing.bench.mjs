// What streams cost whose rooms can change.
//
// Measured: CPU time of the server process per event that reached a reader, and bytes per event, as
// in `fan-out`, with one event per turn of the event loop and with twenty. `ours` has plain
// streams. `client` and `EventSource` have the option `changeable`: the client of this library is
// told once which rooms its cursor is about, while an `EventSource` gets that with every id, in
// frames of its own. Not shown: the joins themselves.
import {
  contestant,
  deliveryTable,
  goal,
  raceDeliveries,
  readers,
  report,
  withContestants,
} from './race.mjs';

const count = readers(1_000);
const ROUNDS = 7;
const changeable = { server: 'ours', options: { isChangeable: true } };
const KINDS = {
  ours: [{}, {}],
  client: [changeable, { accept: 'text/event-stream, application/x-sse-rooms' }],
  EventSource: [changeable, { accept: 'text/event-stream' }],
};
const ONE = { turns: 30, burst: 1, gapMs: 20, perReader: 30, readers: count };
const TWENTY = { turns: 4, burst: 20, gapMs: 20, perReader: 80, readers: count };

const { one, twenty } = await withContestants(
  Object.entries(KINDS).map(([name, [options]]) => contestant(name, options)),
  async (all) => {
    for (const each of all) await each.open({ count, headers: KINDS[each.name][1] });
    const measure = (publish) => raceDeliveries(all, 'ours', ROUNDS, publish);
    return { one: await measure(ONE), twenty: await measure(TWENTY) };
  },
);

report(
  'changing',
  {
    [`${count} readers, one event per turn`]: deliveryTable(one),
    [`${count} readers, twenty events per turn`]: deliveryTable(twenty),
  },
  [
    goal('one per turn: client ÷ ours', one.client.ratio, 1.05),
    goal('twenty per turn: client ÷ ours', twenty.client.ratio, 1.05),
  ],
);
