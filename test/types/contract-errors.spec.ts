// What the compiler says about a wrong use of a contract names the problem: each snippet is
// compiled, and its first error has the text.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

const PRELUDE = `
import { SseStream, type Broadcaster } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { sseContract, type EventsOf } from 'nestjs-eventstream/contract';
import { from, of } from 'rxjs';
import { z } from 'zod';

export const orders = sseContract({
  path: 'orders/:customer/events',
  query: z.object({ since: z.string().optional() }),
  events: {
    created: z.object({ no: z.int() }),
    shipped: z.object({ no: z.int(), carrier: z.string() }),
  },
});
const search = sseContract({
  path: 'search/:lang',
  query: z.object({ q: z.string() }),
  events: { hit: z.object({ title: z.string() }) },
});
declare const hub: Broadcaster<EventsOf<typeof orders>>;
declare const untyped: Broadcaster;
export const used = { SseStream, connect, from, of, search, hub, untyped };
`;

/** A handler of the route, with what it returns. */
const handler = (result: string): string =>
  `export class C { @SseStream(orders) stream() { return ${result}; } }`;

const WRONG: [what: string, code: string, text: string][] = [
  [
    'an event that the contract does not have',
    handler(`of({ type: 'creatd', data: { no: 1 } } as const)`),
    `the contract has no event "creatd"`,
  ],
  [
    'one of two events',
    handler(`of({ type: 'created', data: { no: 1 } } as const, { type: 'gone' } as const)`),
    `the contract has no event "gone"`,
  ],
  [
    'data of another shape',
    handler(`of({ type: 'shipped', data: { no: '1', carrier: 'x' } } as const)`),
    `the data of "shipped" is not what the contract says`,
  ],
  [
    'a hub without types',
    handler(`untyped.stream('a')`),
    `the events have no types: inject Broadcaster<EventsOf<typeof contract>>`,
  ],
  [
    'a type that is any text',
    handler(`of({ type: 'created', data: { no: 1 } })`),
    `or emit { type, data } as const`,
  ],
  ['plain values', handler('from([1, 2])'), `the handler must emit messages: { type, data }`],
  [
    'no stream',
    handler('({ no: 1 })'),
    `the handler must return an Observable or an AsyncIterable of { type, data }`,
  ],
  ['a missing parameter', `connect(orders);`, `Needs<"params">`],
  ['a missing parameter and query', `connect(search);`, `Needs<"query" | "params">`],
  [
    'a missing parameter beside options',
    `connect(orders, { baseUrl: '/api' });`,
    `Property 'params' is missing in type '{ baseUrl: string; }'`,
  ],
  [
    'another parameter',
    `connect(orders, { params: { client: 'c7' } });`,
    `'client' does not exist in type 'Readonly<Record<"customer", string | number>>'`,
  ],
  [
    'a wrong name of an event',
    `hub.to('a').emit('creatd', { no: 1 });`,
    `'"creatd"' is not assignable to parameter of type '"created" | "shipped"'`,
  ],
  [
    'wrong data at the hub',
    `hub.to('a').emit('created', { no: 'x' });`,
    `Type 'string' is not assignable to type 'number'`,
  ],
  [
    'a listener of an event that does not exist',
    `connect(orders, { params: { customer: 'c7' } }).on('creatd', () => {});`,
    `'"creatd"' is not assignable to parameter of type '"created" | "shipped"`,
  ],
  [
    'an event that is no schema',
    `sseContract({ path: 'a', events: { a: String } });`,
    `not assignable to type 'StandardSchemaV1<unknown, unknown> | ContractEvent`,
  ],
  ['a contract without a path', `sseContract({ events: { a: z.string() } });`, `'path' is missing`],
];

/** The errors of each snippet. The files exist only here, beside those that do. */
function compile(snippets: ReadonlyMap<string, string>): Map<string, string[]> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
    ts.sys.readFile(path),
  );
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const onDisk = { ...host };
  host.fileExists = (path) => snippets.has(path) || onDisk.fileExists(path);
  host.getSourceFile = (path, ...rest) => {
    const code = snippets.get(path);
    return code === undefined
      ? onDisk.getSourceFile(path, ...rest)
      : ts.createSourceFile(path, code, ts.ScriptTarget.ES2022, true);
  };
  const program = ts.createProgram([...snippets.keys()], { ...options, noEmit: true }, host);
  return new Map(
    [...snippets.keys()].map((path) => [
      path,
      program
        .getSemanticDiagnostics(program.getSourceFile(path))
        // A text in a type is printed with its quotes escaped.
        .map(({ messageText }) =>
          ts.flattenDiagnosticMessageText(messageText, '\n').replaceAll('\\"', '"'),
        ),
    ]),
  );
}

describe('the compiler', () => {
  const fileOf = (index: number): string => join(import.meta.dirname, `wrong-${index}.ts`);
  const right = join(import.meta.dirname, 'right.ts');
  const use = [
    handler(`hub.stream('a')`),
    `connect(orders, { params: { customer: 'c7' } }).on('created', ({ data }) => data.no);`,
  ];
  let errors: ReadonlyMap<string, string[]>;

  beforeAll(() => {
    errors = compile(
      new Map([
        [right, [PRELUDE, ...use].join('\n')],
        ...WRONG.map(([, code], index) => [fileOf(index), PRELUDE + code] as const),
      ]),
    );
  }, 120_000);

  it('has nothing to say about a right use', () => {
    expect(errors.get(right)).toEqual([]);
  });

  // feature: 86
  it.each(WRONG.map(([what, , text], index) => ({ what, text, index })))(
    'says of $what: $text',
    ({ text, index }) => {
      const found = errors.get(fileOf(index))!;
      expect(found).not.toEqual([]);
      expect(found.join('\n')).toContain(text);
    },
  );
});
