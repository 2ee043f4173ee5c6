// The rooms of tabs that share a stream.
import { describe, expect, it } from '@jest/globals';
import { SharedRooms } from '../../lib/client/tabs/shared-rooms.js';
import { isForTab } from '../../lib/client/tabs/rooms-of.js';
import { World, type Tab } from './tabs-world.js';

async function threeTabs(): Promise<{ world: World; tabs: [Tab, Tab, Tab] }> {
  const world = new World('total');
  const tabs: [Tab, Tab, Tab] = [world.open(), world.open(), world.open()];
  await world.finish();
  return { world, tabs };
}

const joinedIn = (world: World): string[] =>
  world.alive.flatMap(({ connection }) => [...(connection?.rooms ?? [])]).sort();

describe('the rooms of tabs that share a stream', () => {
  it('are the union of what each tab has joined', async () => {
    const { world, tabs } = await threeTabs();
    const joined = [tabs[0].member.rooms.join(['a', 'b']), tabs[1].member.rooms.join(['b', 'c'])];
    await world.finish();
    await Promise.all(joined);
    expect(joinedIn(world)).toEqual(['a', 'b', 'c']);
    tabs[0].member.rooms.leave(['a', 'b']);
    await world.finish();
    expect(joinedIn(world)).toEqual(['b', 'c']);
    expect([...tabs[1].member.rooms.own]).toEqual(['b', 'c']);
  });

  it('go over to the next leader, and leave with a tab that is gone', async () => {
    const { world, tabs } = await threeTabs();
    const joined = tabs.map((tab, n) => tab.member.rooms.join([`room ${n}`]));
    await world.finish();
    await Promise.all(joined);
    tabs[0].meet('close');
    await world.finish();
    expect(joinedIn(world)).toEqual(['room 1', 'room 2']);
    tabs[2].meet('crash');
    await world.finish();
    expect(joinedIn(world)).toEqual(['room 1']);
  });

  it('are known to the next leader also after a crash', async () => {
    const { world, tabs } = await threeTabs();
    const joined = tabs.map((tab, n) => tab.member.rooms.join([`room ${n}`]));
    await world.finish();
    await Promise.all(joined);
    tabs[0].meet('crash');
    await world.finish();
    expect(joinedIn(world)).toEqual(expect.arrayContaining(['room 1', 'room 2']));
  });

  it('are refused to the tab that asked, and to no other', async () => {
    const { world, tabs } = await threeTabs();
    const refused = tabs[1].member.rooms.join(['secret']);
    const error = refused.catch((thrown: unknown) => thrown);
    const joined = tabs[2].member.rooms.join(['a']);
    await world.finish();
    expect(await error).toMatchObject({ code: 'SSE_STATUS' });
    await joined;
    expect(joinedIn(world)).toEqual(['a']);
    expect([...tabs[1].member.rooms.own]).toEqual([]);
  });

  it('decide which events a tab gets, if roomsOf() names those of an event', () => {
    const event = (type: string, data: unknown) => ({ type, data, id: undefined });
    const roomsOf = ({ data }: { readonly data: unknown }): string => (data as { in: string }).in;
    const own = new Set(['a']);
    const union = ['a', 'b'];
    const gets = (type: string, data: unknown): boolean =>
      isForTab(event(type, data), roomsOf, { own, union });
    expect(gets('n', { in: 'a' })).toBe(true);
    expect(gets('n', { in: 'b' })).toBe(false);
    expect(isForTab(event('n', { in: 'b' }), undefined, { own, union })).toBe(true);
    // Of the URL.
    expect(gets('n', { in: 'c' })).toBe(true);
    expect(gets('sse-set', { room: 'b', key: 'k', value: 1 })).toBe(false);
    expect(gets('sse-gap', { rooms: ['a', 'b'], reason: 'trimmed' })).toBe(true);
    expect(gets('sse-gap', { rooms: [], reason: 'unknown' })).toBe(true);
  });
});

describe('a tab that was away', () => {
  const gap = { type: 'sse-gap', data: { rooms: ['a'], reason: 'unknown' }, id: undefined };
  const told = (rooms: readonly string[]) => ({
    type: 'sse-rooms',
    data: { rooms },
    id: undefined,
  });
  function joined(): SharedRooms {
    const around = { post: () => {}, live: () => Promise.resolve(), watch: () => {} };
    const rooms = new SharedRooms('tab', around);
    void rooms.join(['a']).catch(() => {});
    expect(rooms.told(told(['url']))).toBeUndefined();
    expect(rooms.told(told(['url', 'a']))).toBeUndefined();
    return rooms;
  }

  it('has a gap in a room that the stream has left and joined again', () => {
    const rooms = joined();
    expect(rooms.told(told(['url']))).toBeUndefined();
    expect(rooms.told({ type: 'n', data: { rooms: ['a'] }, id: '1' })).toBeUndefined();
    expect(rooms.told(told(['url', 'a', 'b']))).toEqual(gap);
    expect(rooms.told(told(['url', 'a']))).toBeUndefined();
  });

  it('has one when it has missed that the stream left the room', () => {
    const rooms = joined();
    rooms.adopt({ rooms: { wanted: [], joined: [] }, hasGap: true });
    expect(rooms.told(told(['url', 'a']))).toEqual(gap);
  });

  it('has none in a room that it left itself', () => {
    const rooms = joined();
    rooms.leave(['a']);
    rooms.told(told(['url']));
    void rooms.join(['a']).catch(() => {});
    expect(rooms.told(told(['url', 'a']))).toBeUndefined();
  });

  it('takes what another library says by these names as an event like others', () => {
    expect(joined().told({ type: 'sse-rooms', data: 'text', id: undefined })).toBeUndefined();
  });
});
