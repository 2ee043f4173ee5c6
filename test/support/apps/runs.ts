// A whole process that works on a run: its messages are numbers, one after the other. Arguments:
// the URL of Redis, a prefix, the id of the run, and how many messages it has.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Hub } from '../../../lib/hub/hub.js';
import { Runs } from '../../../lib/runs/runs.js';

const [url = '', prefix = '', id = '', count = '0'] = process.argv.slice(2);
const { history } = SSE_DEFAULTS;
const state = { maxKeys: 10_000, maxBytes: 67_108_864 };
const hub = new Hub(redisEventLog({ url, prefix })({ name: 'runs', history, state }));
await hub.start();
const runs = new Runs(hub);
const { isNew } = await runs.start(
  id,
  async function* () {
    // Without a number, it goes on for ever.
    for (let n = 0; n < (Number(count) || Infinity); n++) {
      yield { data: n };
      process.send?.({ made: n });
      await nextTurn();
    }
  },
  { maxBytes: 100_000_000 },
);
process.send?.({ isNew });
