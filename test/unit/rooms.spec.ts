import { describe, expect, it } from '@jest/globals';
import { SseInvalidFieldError } from '../../lib/ground/errors.js';
import { MAX_ROOM_LENGTH, roomList, Rooms } from '../../lib/hub/rooms.js';

describe('the list of rooms of a call', () => {
  it.each([
    ['one room', 'a', ['a']],
    ['several', ['b', 'a'], ['b', 'a']],
    ['doubles', ['a', 'b', 'a'], ['a', 'b']],
    ['the longest name', 'x'.repeat(MAX_ROOM_LENGTH), ['x'.repeat(MAX_ROOM_LENGTH)]],
    ['any characters', ['a b', '✓', '\n'], ['a b', '✓', '\n']],
  ])('takes %s', (_title, rooms, list) => {
    expect(roomList(rooms)).toEqual(list);
  });

  it.each<[string, unknown]>([
    ['no room', []],
    ['an empty name', ''],
    ['an empty name among others', ['a', '']],
    ['a name that is too long', 'x'.repeat(MAX_ROOM_LENGTH + 1)],
    ['a name that is no text', ['a', 7]],
    ['undefined', undefined],
  ])('refuses %s', (_title, rooms) => {
    expect(() => roomList(rooms as string)).toThrow(SseInvalidFieldError);
    expect(() => roomList(rooms as string)).toThrow(/^room: expected .* \(got /);
  });

  it('does not hand out the list it was given', () => {
    const rooms = ['a', 'b'];
    expect(roomList(rooms)).not.toBe(rooms);
  });
});

describe('rooms', () => {
  it('are there while somebody is in them', () => {
    const rooms = new Rooms<string>();
    rooms.join(['a', 'b'], 'Ann');
    rooms.join(['b'], 'Bob');
    expect(rooms.names()).toEqual(['a', 'b']);
    expect([rooms.size('a'), rooms.size('b'), rooms.size('c')]).toEqual([1, 2, 0]);
    rooms.leave(['a', 'b'], 'Ann');
    expect(rooms.names()).toEqual(['b']);
    rooms.leave(['b'], 'Bob');
    expect(rooms.names()).toEqual([]);
  });

  it('count a member once, however often it joins', () => {
    const rooms = new Rooms<string>();
    rooms.join(['a'], 'Ann');
    rooms.join(['a'], 'Ann');
    expect(rooms.size('a')).toBe(1);
  });

  it('keep who stays when somebody leaves that was never there', () => {
    const rooms = new Rooms<string>();
    rooms.join(['a'], 'Ann');
    rooms.leave(['a', 'b'], 'Bob');
    expect(rooms.names()).toEqual(['a']);
    expect([...rooms.membersOf(['a'])]).toEqual(['Ann']);
  });

  it.each([
    ['one room', ['a'], ['Ann', 'Bob']],
    ['several rooms, each member once', ['a', 'b'], ['Ann', 'Bob', 'Cid']],
    ['an empty room', ['c'], []],
    ['an empty room beside another', ['c', 'b'], ['Bob', 'Cid']],
    ['no room', [], []],
  ])('tell who is in %s', (_title, asked, members) => {
    const rooms = new Rooms<string>();
    rooms.join(['a'], 'Ann');
    rooms.join(['a', 'b'], 'Bob');
    rooms.join(['b'], 'Cid');
    expect([...rooms.membersOf(asked)]).toEqual(members);
  });
});
