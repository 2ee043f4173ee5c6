import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { RoomList } from '../../lib/inspector/room-list.js';

const EVERYTHING = { search: '', slow: false, process: '' };

describe('the rooms that the inspector lists', () => {
  it('are the busiest of very many after some looks, of which none goes through all', async () => {
    const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
    await hub.start();
    const all = 50_000;
    for (let n = 0; n < all; n++) hub.stream(`room ${n}`).subscribe();
    for (let n = 0; n < 3; n++) hub.stream(`room ${all - 1}`).subscribe();
    for (let n = 0; n < 2; n++) hub.stream('room 7').subscribe();
    let asked = 0;
    const size = hub.size.bind(hub);
    hub.size = (room) => {
      asked++;
      return size(room);
    };
    const list = new RoomList();
    const look = () => {
      asked = 0;
      const rooms = list.list([hub], EVERYTHING, 200, () => undefined);
      expect(asked).toBeLessThan(all / 2);
      expect(rooms).toMatchObject({ count: all, found: all, leftOut: all - 200 });
      expect(new Set(rooms.list.map(({ name }) => name)).size).toBe(200);
      return rooms.list.slice(0, 2).map(({ name }) => name);
    };
    const looks = Array.from({ length: 6 }, look);
    expect(looks[0]?.[0]).toBe('room 7');
    for (const first of looks.slice(2)) expect(first).toEqual([`room ${all - 1}`, 'room 7']);
    await hub.close();
  });
});
