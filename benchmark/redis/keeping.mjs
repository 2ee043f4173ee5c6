// What a kept event of 200 bytes of data takes in Redis: 100 000 events in 100 rooms.
//
// An app publishes them, each an event of one room. `used_memory` before and after, by the number
// of events; and what MEMORY USAGE says of the streams alone, of every entry. No event is taken off
// meanwhile; then each room is full, and as many are published again: a stream that is trimmed at
// its beginning keeps what it had until its first node is empty.
import { goal } from '../race.mjs';
import { withProcesses } from './processes.mjs';

const EVENTS = 100_000;
const BYTES = 200;
const rooms = Array.from({ length: 100 }, (_, n) => `room-${n}`);

export function keeping() {
  return withProcesses(async ({ redis, app }) => {
    const server = await redis();
    const each = await app(1, { url: server.url });
    const data = 'x'.repeat(BYTES - 2);
    const used = async () => Number((await server.info('memory')).used_memory);
    const publish = async (events) => {
      await each.ask('publishAwaited', { events, window: 64, rooms, data });
      // What its connections hold is not kept.
      await each.ask('head');
    };
    const kept = async (title) => {
      const total = (await used()) - before;
      let streams = 0;
      let count = 0;
      for (const room of rooms) {
        const key = `sse:{hub:}:room:${room}`;
        streams += Number(await server.client.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
        count += await server.client.xlen(key);
      }
      return [
        title,
        { events: count, 'bytes per event': total / count, 'of the streams': streams / count },
      ];
    };
    await publish(1);
    await server.client.del(...rooms.map((room) => `sse:{hub:}:room:${room}`));
    const before = await used();
    await publish(EVENTS);
    const first = await kept('published');
    await publish(EVENTS);
    const rows = Object.fromEntries([first, await kept('and as many again')]);
    const worst = Math.max(...Object.values(rows).map((row) => row['bytes per event']));
    const title = `bytes in Redis per event of ${BYTES} bytes of data, ${rooms.length} rooms`;
    return { tables: { [title]: rows }, goals: [goal('bytes per kept event', worst, 400)] };
  });
}
