import { describe, expect, it } from '@jest/globals';
import { acceptsEventStream, isWithoutBody } from '../../lib/wire/negotiation.js';

describe('a client that sends Accept', () => {
  it.each([
    [undefined, true],
    ['', true],
    [' , ', true],
    ['*', true],
    ['*/*', true],
    ['text/*', true],
    ['text/event-stream', true],
    ['TEXT/Event-Stream', true],
    ['text/event-stream; charset=utf-8', true],
    ['text/event-stream;q=0.1', true],
    ['text/event-stream;q=', true],
    ['application/json, text/event-stream', true],
    ['application/json, text/plain, */*', true],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['text/event-stream, */*;q=0', true],
    ['text/*;q=0, text/event-stream', true],
    ['*/*;q=0, text/*;q=0.5', true],
    ['text/event-stream;q=0, text/event-stream;q=0.5', true],
    ['text/event-stream, application/vnd.held-back', true],
    ['application/json', false],
    ['text/html', false],
    ['text/plain, application/json;q=0.5', false],
    ['text/event-stream;q=0', false],
    ['text/event-stream; q=0.000', false],
    ['text/event-stream;charset=utf-8;Q=0', false],
    ['*/*, text/event-stream;q=0', false],
    ['*/*, text/*;q=0', false],
    ['*/*;q=0', false],
    ['application/json, */*;q=0', false],
  ])('%p: %p', (accept, takes) => {
    expect(acceptsEventStream(accept)).toBe(takes);
  });
});

describe('what a handler set', () => {
  it.each([
    [204, 200, true],
    [205, 200, true],
    [304, 200, true],
    [204, 204, false],
    [200, 200, false],
    [202, 200, false],
    [404, 200, false],
  ])('with status %i under %i: has no body? %p', (status, declared, is) => {
    expect(isWithoutBody(status, declared)).toBe(is);
  });
});
