import { describe, expect, it } from '@jest/globals';
import { RoomPattern } from '../../lib/options/room-pattern.js';

const match = (pattern: string, room: string) => new RoomPattern('x', pattern).match(room);

describe('a pattern of room names', () => {
  it.each([
    ['news', 'news', {}],
    ['news', 'news2', undefined],
    ['news', 'the news', undefined],
    ['a.b', 'axb', undefined],
    ['a+(b)|$', 'a+(b)|$', {}],
    ['project.:id', 'project.7', { id: '7' }],
    ['project.:id', 'project.', undefined],
    ['project.:id', 'project.7.secret', undefined],
    ['project.:id', 'project.7:secret', undefined],
    ['project.:id', 'project.7/secret', undefined],
    ['project.:id', 'project.7 secret', undefined],
    ['project.:id', 'project.7\nsecret', { id: '7\nsecret' }],
    ['user :id', 'user 7', { id: '7' }],
    ['chat::room', 'chat:lobby', { room: 'lobby' }],
    ['chat:room', 'chat:room', {}],
    ['chat:room', 'chat:lobby', undefined],
    ['chat:room', 'chatlobby', undefined],
    [':tenant/:room', 'acme/news', { tenant: 'acme', room: 'news' }],
    [':tenant:news', 'acme:news', { tenant: 'acme' }],
    [':tenant::id', 'acme:7', { tenant: 'acme', id: '7' }],
    ['orders.:no.lines', 'orders.7.lines', { no: '7' }],
    [':__proto__', 'x', Object.fromEntries([['__proto__', 'x']])],
  ])('%j and the room %j', (pattern, room, expected) => {
    expect(match(pattern, room)).toEqual(expected);
  });

  it.each([
    ['', 'x: expected a pattern of 1 to 256 characters, got ""'],
    ['x'.repeat(257), /expected a pattern of 1 to 256 characters/],
    ['a.*', /has a "\*".*write ":name" for a part/],
    ['sse:user:ann', /reserved for the library/],
    [':id.:id', /the parameter ":id" twice/],
    ['room-:id', /":id" within a part; a parameter is a whole part/],
    ['room.:id-x', /":id-" within a part/],
    ['room.:größe', /":grö" within a part/],
  ])('%j is refused', (pattern, message) => {
    expect(() => match(pattern, 'x')).toThrow(message);
  });

  it('takes no longer for a hostile name', () => {
    const pattern = Array.from({ length: 40 }, (_none, n) => `:p${n}`).join('.');
    expect(match(pattern, `${'a.'.repeat(38)}a..a`)).toBeUndefined();
  });
});
