// A contract's definition and its URL.
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { sseContract, type EventsOf } from 'nestjs-eventstream/contract';

const events = { message: z.string() };
const refusal = (definition: object): string => {
  try {
    sseContract(definition as never);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

describe('sseContract()', () => {
  it.each([
    [{ path: 'a', events: {} }, 'sseContract().events: expected an object with at least one event'],
    [{ path: 'a' }, 'sseContract().events: expected'],
    [{ events }, 'sseContract().path: expected a string, got undefined'],
    [{ path: 'a/:', events }, '"a/:" has the segment ":"; use plain text, or one whole parameter'],
    [{ path: 'a/:x-:y', events }, 'has the segment ":x-:y"'],
    [{ path: 'a/*rest', events }, 'has the segment "*rest"'],
    [{ path: 'a?b=1', events }, 'has the segment "a?b=1"'],
    [{ path: ':a/:a', events }, '":a/:a" has the parameter "a" twice; rename one'],
    [{ path: 'a', events, querry: z.object({}) }, 'querry: no such option; did you mean query?'],
    [{ path: 'a', events, query: {} }, 'sseContract().query: expected a Standard Schema'],
    [
      { path: 'a', events: { a: String } },
      'events.a: expected a Standard Schema, such as one of zod',
    ],
    [
      {
        path: 'a',
        events: {
          a: class {
            static schema = 1;
          },
        },
      },
      'events.a: expected a Standard Schema, such as one of zod',
    ],
    [{ path: 'a', events: { a: { schema: 1 } } }, 'events.a.schema: expected a Standard Schema'],
    [
      { path: 'a', events: { a: { schema: z.null(), since: 2 } } },
      'events.a.since: expected a string',
    ],
    [
      { path: 'a', events: { 'a\nb': z.null() } },
      'must be one line of well-formed text, got "a\\nb"',
    ],
    [{ path: 'a', events: { '': z.null() } }, 'is empty; use "message" for events without a type'],
    [{ path: 'a', events: { 'sse-gap': z.null() } }, '"sse-gap" has another meaning at the client'],
    [{ path: 'a', events: { error: z.null() } }, '"error" has another meaning at the client'],
  ])('refuses %j', (definition, message) => {
    expect(refusal(definition)).toContain(message);
  });

  it('is frozen, and takes schemas that are functions or classes', () => {
    const contract = sseContract({ path: '/a/', events: { a: { schema: z.null() } } });
    expect(Object.isFrozen(contract)).toBe(true);
    expect(contract.url()).toBe('/a');
  });
});

it('an event may be a class with a schema, such as one of nestjs-zod', () => {
  class Created {
    static readonly schema = z.object({ no: z.int() });
    no!: number;
  }
  const contract = sseContract({ path: 'a', events: { created: Created } });
  expect(contract.schemas.get('created')).toBe(Created.schema);
  const data: EventsOf<typeof contract>['created'] = { no: 1 };
  expect(data).toEqual({ no: 1 });
});

describe('url()', () => {
  const contract = sseContract({
    path: 'a/:id/b/:name',
    query: z.object({
      q: z.string().optional(),
      tags: z.array(z.string()).optional(),
      at: z.date().optional(),
      deep: z.object({}).optional(),
    }),
    events,
  });

  it('escapes and joins', () => {
    const params = { id: 'ü/ ?', name: 7 };
    expect(contract.url({ params })).toBe('/a/%C3%BC%2F%20%3F/b/7');
    expect(contract.url({ baseUrl: 'https://x.test/api//', params })).toBe(
      'https://x.test/api/a/%C3%BC%2F%20%3F/b/7',
    );
    const query = { q: 'a b', tags: ['x', 'y'], at: new Date(0), deep: undefined };
    expect(contract.url({ baseUrl: new URL('http://x.test'), params, query })).toBe(
      'http://x.test/a/%C3%BC%2F%20%3F/b/7?q=a+b&tags=x&tags=y&at=1970-01-01T00%3A00%3A00.000Z',
    );
  });

  it.each([
    [{}, 'params.id: expected a non-empty string or a number, got undefined'],
    [{ params: { id: '', name: 'a' } }, 'params.id: expected a non-empty string'],
    [{ params: { id: '..', name: 'a' } }, 'params.id: expected a non-empty string'],
    [{ params: { id: NaN, name: 'a' } }, 'params.id'],
    [
      { params: { id: 'a', name: 'a', nam: 1 } },
      'params.nam: the path "a/:id/b/:name" has no such',
    ],
    [{ baseUrl: '/a?b', params: { id: 1, name: 1 } }, 'baseUrl: "/a?b" has a query or a fragment'],
    [{ params: { id: 1, name: 1 }, query: { deep: {} } }, 'query.deep: expected text, a number'],
  ])('refuses %j', (options, message) => {
    expect(() => contract.url(options as never)).toThrow(message);
  });
});
