import { describe, expect, it } from '@jest/globals';
import { HubEvent, type LoggedEvent, type PublishedEvent } from '../../lib/log/event.js';
import { encodeFrame, encodeBody, type SseMessage } from '../../lib/wire/frame.js';

const logged = (message: SseMessage, position?: number): LoggedEvent => ({
  epoch: 'e',
  position,
  rooms: ['a', 'b'],
  message,
  body: encodeBody(message),
});

describe('a published event', () => {
  const message: SseMessage = { type: 'tick', data: { n: 1 }, retry: 5, comment: 'c' };

  it('has the fields of its message and the cursor as its id', () => {
    const event = new HubEvent(logged(message, 35));
    expect(event).toMatchObject({ ...message, id: '1.e.z' });
    expect(event.rooms).toEqual(['a', 'b']);
    expect(event.position).toBe(35);
  });

  it('is a message when it is copied by spread, with the same id and nothing else', () => {
    const event: PublishedEvent = new HubEvent(logged(message, 35));
    const copy = { ...event, data: { n: 2 } };
    expect(Object.keys(copy).sort()).toEqual(['comment', 'data', 'id', 'retry', 'type']);
    expect(encodeFrame(copy)).toBe(': c\nevent: tick\nretry: 5\ndata: {"n":2}\nid: 1.e.z\n\n');
  });

  it('has the frame that its message would have with that id', () => {
    const event = new HubEvent(logged(message, 35));
    expect(event.frame).toBe(encodeFrame({ ...message, id: '1.e.z' }));
    expect(event.frame).toBe(': c\nevent: tick\nretry: 5\ndata: {"n":1}\nid: 1.e.z\n\n');
  });

  it('makes its frame once, from a body that is read once', () => {
    let reads = 0;
    const { body, ...rest } = logged(message, 35);
    const event = new HubEvent({
      ...rest,
      get body() {
        reads++;
        return body;
      },
    });
    expect(event.frame).toBe(event.frame);
    expect(reads).toBe(1);
  });

  it('has no id where it is ephemeral', () => {
    const event = new HubEvent(logged({ type: 'typing', data: 'Ann' }));
    expect(event).not.toHaveProperty('id');
    expect(event.position).toBeUndefined();
    expect(event.frame).toBe('event: typing\ndata: Ann\n\n');
  });

  it('has the data of its message, frozen however long and deep it is', () => {
    let innermost: unknown[] = [];
    const outermost = innermost;
    for (let level = 0; level < 100_000; level++) {
      const inner: unknown[] = [];
      innermost.push(inner);
      innermost = inner;
    }
    const data = { list: Array.from({ length: 400_000 }, () => 0), outermost };
    const event = new HubEvent({ ...logged({ comment: 'x' }, 1), message: { data } });
    expect(event.data).toBe(data);
    for (const part of [event, data, data.list, innermost]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});
