// The parts that run for each event or each reader, alone.
//
// Measured with tinybench: how long a call takes in a loop that does nothing else, on the built
// files. Not shown: what they cost in an app, where caches are cold; for that there are the races.
import { Bench } from 'tinybench';
import { Batch } from '../dist/lib/output/batch.js';
import { formatCursor } from '../dist/lib/wire/cursor.js';
import { parseLastEventId } from '../dist/lib/wire/last-event-id.js';
import { encodeFrame } from '../dist/lib/wire/frame.js';
import { Rooms } from '../dist/lib/hub/rooms.js';
import { report } from './race.mjs';

const message = { type: 'n', id: '1.abcdefgh.hgfedcba', data: { n: 1, note: 'x'.repeat(86) } };
const text = { ...message, data: 'x'.repeat(100) };
const lines = { ...message, data: 'twenty bytes of line\n'.repeat(50) };
const cursor = { epoch: 'abcdefgh', position: 1_700_000_000_000_000 };
const id = formatCursor(cursor);
const frames = Array.from({ length: 20 }, (_, n) => encodeFrame({ ...message, id: `${n}` }));

const rooms = new Rooms();
for (let n = 0; n < 10_000; n++) rooms.join([`room ${n % 100}`, 'all'], { n });

const bench = new Bench({ time: 200, warmupTime: 50 })
  .add('frame: 100 bytes of JSON', () => encodeFrame(message))
  .add('frame: 100 bytes of text', () => encodeFrame(text))
  .add('frame: 50 lines', () => encodeFrame(lines))
  .add('cursor: format', () => formatCursor(cursor))
  .add('cursor: parse', () => parseLastEventId(id))
  .add('rooms: join and leave', () => {
    // Always another one, as in life: a Set gets slow where the same comes and goes.
    const member = {};
    rooms.join(['room 7', 'all'], member);
    rooms.leave(['room 7', 'all'], member);
  })
  .add('rooms: the 100 in a room', () => rooms.membersOf(['room 7']))
  .add('rooms: the 10 000 in either', () => rooms.membersOf(['room 7', 'all']))
  .add('batch: 20 frames, 1 reader', () => {
    let batch = new Batch();
    for (const frame of frames) batch = batch.append(frame);
    return batch.buffer;
  })
  .add('batch: 20 frames, 1 000 readers', () => {
    const root = new Batch();
    for (let reader = 0; reader < 1_000; reader++) {
      let batch = root;
      for (const frame of frames) batch = batch.append(frame);
      if (batch.buffer.length === 0) throw new Error('empty');
    }
  });
await bench.run();

const table = bench.tasks.map(({ name, result }) => [
  name,
  {
    µs: 1000 * result.latency.p50,
    'p99 µs': 1000 * result.latency.p99,
    calls: result.latency.samplesCount,
  },
]);
report('micro', { 'one call': Object.fromEntries(table) });
