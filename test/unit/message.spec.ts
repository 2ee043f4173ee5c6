import { describe, expect, it } from '@jest/globals';
import { SseData, SseId, SseRetry, SseType } from 'nestjs-eventstream';
import { SseInvalidFieldError } from '../../lib/ground/errors.js';
import { encodeFrame } from '../../lib/wire/frame.js';
import { toMessage } from '../../lib/nest/message.js';
import type { SseMap } from '../../lib/connection/stream.options.js';

class Notice {
  @SseData() message: string;
  @SseType() kind: string | null = 'notice';
  @SseId() id: string | number | undefined;
  @SseRetry() retryMs: number | null = null;

  constructor(message: string) {
    this.message = message;
  }
}

class Alarm extends Notice {
  level = 3;
}

class Renamed extends Notice {
  @SseType() override kind = 'ignored';
  @SseType() title = 'renamed';
}

describe('what a handler emits', () => {
  it.each<[string, unknown]>([
    ['text', 'x'],
    ['empty text', ''],
    ['a number', 7],
    ['zero', 0],
    ['a boolean', false],
    ['null', null],
    ['bytes', Buffer.from('x')],
  ])('becomes data where it is a plain value: %s', (_title, value) => {
    expect(toMessage(value)).toEqual({ data: value });
  });

  it('is taken as it is where it is a message', () => {
    const message = { data: 'x', id: '7' };
    expect(toMessage(message)).toBe(message);
  });

  it('is refused where it is undefined', () => {
    expect(() => toMessage(undefined)).toThrow(SseInvalidFieldError);
  });

  it('is refused where it is a list, with the remedy', () => {
    expect(() => toMessage([1, 2])).toThrow(
      'message: expected an object; put an array into `data` (got an array)',
    );
  });

  it('is refused by the encoder where it is some object', () => {
    expect(() => encodeFrame(toMessage({ name: 'x' }))).toThrow(
      'name: not a field of a message; put the object into `data`, or set the option `map`',
    );
  });

  it('is told that the name of an event is `type`, where it has `event`', () => {
    expect(() => encodeFrame(toMessage({ event: 'x', data: 1 }))).toThrow(
      'event: not a field of a message; name the event in `type`',
    );
  });
});

describe('a map', () => {
  // feature: 16
  it.each<[string, unknown, SseMap, string]>([
    [
      'moves properties to fields',
      { message: 'Hi', id: '1' },
      { data: 'message', id: 'id' },
      'data: Hi\nid: 1\n\n',
    ],
    [
      'moves all four',
      { message: 'Hi', kind: 'k', no: 4, retryMs: 5 },
      { data: 'message', type: 'kind', id: 'no', retry: 'retryMs' },
      'event: k\nretry: 5\ndata: Hi\nid: 4\n\n',
    ],
    [
      'leaves out a field whose property is not set',
      { message: 'Hi' },
      { data: 'message', retry: 'retryMs' },
      'data: Hi\n\n',
    ],
    [
      'leaves out a field whose column is null',
      { message: 'Hi', kind: null, no: null, retryMs: null },
      { data: 'message', type: 'kind', id: 'no', retry: 'retryMs' },
      'data: Hi\n\n',
    ],
    [
      'keeps falsy values, which are values',
      { message: 0, no: 0, retryMs: 0 },
      { data: 'message', id: 'no', retry: 'retryMs' },
      'retry: 0\ndata: 0\nid: 0\n\n',
    ],
    [
      'takes the whole object as data without a data mapping',
      { no: 1, name: 'x' },
      { id: 'no' },
      'data: {"no":1,"name":"x"}\nid: 1\n\n',
    ],
    ['keeps null data, which is JSON', { body: null }, { data: 'body' }, 'data: null\n\n'],
    ['lets plain values through', 'x', { data: 'message' }, 'data: x\n\n'],
  ])('%s', (_title, value, map, bytes) => {
    expect(encodeFrame(toMessage(value, map))).toBe(bytes);
  });

  it('refuses what the field cannot carry', () => {
    expect(() => encodeFrame(toMessage({ kind: 'a\nb' }, { type: 'kind' }))).toThrow(
      SseInvalidFieldError,
    );
  });

  it('does not change the object', () => {
    const value = Object.freeze({ message: 'Hi', id: '1' });
    expect(toMessage(value, { data: 'message' })).toEqual({ data: 'Hi' });
  });
});

describe('property decorators', () => {
  it('move the properties of a class to fields', () => {
    const notice = Object.assign(new Notice('Hi'), { id: 7, retryMs: 3000 });
    expect(encodeFrame(toMessage(notice))).toBe('event: notice\nretry: 3000\ndata: Hi\nid: 7\n\n');
  });

  // feature: 16
  it('leave out what is null or undefined', () => {
    expect(encodeFrame(toMessage(new Notice('Hi')))).toBe('event: notice\ndata: Hi\n\n');
  });

  it('are inherited', () => {
    expect(encodeFrame(toMessage(new Alarm('Fire')))).toBe('event: notice\ndata: Fire\n\n');
  });

  it('of a derived class win there, and only there', () => {
    expect(encodeFrame(toMessage(new Renamed('Hi')))).toBe('event: renamed\ndata: Hi\n\n');
    expect(encodeFrame(toMessage(new Notice('Hi')))).toBe('event: notice\ndata: Hi\n\n');
  });

  it('give way to the map of the route', () => {
    const message = toMessage(new Notice('Hi'), { type: 'message', data: 'kind' });
    expect(message).toEqual({ type: 'Hi', data: 'notice' });
  });

  it('on a class without @SseData make the whole object the data', () => {
    class Reading {
      @SseId() no = 1;
      celsius = 21;
    }
    expect(encodeFrame(toMessage(new Reading()))).toBe('data: {"no":1,"celsius":21}\nid: 1\n\n');
  });
});
