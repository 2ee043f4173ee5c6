import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');

/**
 * The flat files of lib/, from the door to the ground. A file imports only from lines below its own.
 * Types may point anywhere: they are gone at run time.
 */
const LAYERS = [
  ['index'],
  ['sse.module'],
  ['sse.decorators'],
  ['sse.interceptor'],
  ['route-interceptors', 'stream-writer', 'health'],
  ['hubs'],
  ['handler', 'source', 'poll', 'message', 'connections'],
  ['admission', 'revocation', 'drain'],
  ['broadcaster'],
  ['new-event'],
  ['delivery'],
  ['reader'],
  ['resume', 'rooms', 'connection', 'slow-clients', 'hub.options', 'pipeline'],
  ['client-cursor', 'authorization', 'upkeep'],
  ['stream-logs'],
  ['outbox', 'response', 'event-log-memory'],
  ['fastify-hooks', 'pipelined', 'idle-timeouts', 'late-answers'],
  ['stream-headers'],
  ['backlog', 'batch', 'recent-keys'],
  ['room-range'],
  ['event', 'event-log', 'ring', 'heap-size', 'control-frames'],
  ['published-message'],
  ['wire', 'deferred', 'frame', 'cursor', 'parser', 'negotiation'],
  ['stream-settings'],
  ['sse.options'],
  ['option-rules'],
  ['listen'],
  ['warnings'],
  ['errors', 'diagnostics', 'protocol', 'well-formed'],
].map((names) => names.map((name) => `${name}.ts`));

const map = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
const textOf = (file: string): string => readFileSync(join(root, 'lib', file), 'utf8');

const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll('\\', '/'))
  .sort();

/** A folder in lib/ is an entry point of its own. */
const folderOf = (file: string): string => (file.includes('/') ? dirname(file) : '');

/** What a file loads of lib/ when it is loaded: no types. */
function importsOf(file: string): string[] {
  const text = textOf(file);
  const names = String.raw`(?:\*(?:\s+as\s+\w+)?|\w+|\{[^}]*\}|\w+\s*,\s*\{[^}]*\})`;
  const patterns = [
    new RegExp(String.raw`^(?:import|export)\s+${names}\s+from\s+'(\.[^']+)'`, 'gm'),
    /^import\s+'(\.[^']+)'/gm,
    /\bimport\('(\.[^']+)'\)/g,
  ];
  return patterns
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map(([, path = '']) => posix.join(posix.dirname(file), path).replace(/\.js$/, '.ts'));
}

const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** Adds a file and all that it loads. */
function withImports(found: Set<string>, file: string): Set<string> {
  return found.has(file) ? found : (imports.get(file) ?? []).reduce(withImports, found.add(file));
}

const layerOf = (file: string): number => LAYERS.findIndex((layer) => layer.includes(file));

describe('the imports in lib/', () => {
  it('are found', () => {
    expect(imports.get('sse.module.ts')).toEqual(
      expect.arrayContaining(['broadcaster.ts', 'connections.ts', 'sse.options.ts']),
    );
    expect(imports.get('index.ts')).toContain('errors.ts');
    // `import type` only
    expect(imports.get('event-log.ts')).toEqual([]);
    for (const path of [...imports.values()].flat()) expect(files).toContain(path);
  });

  it('have a place for each flat file, and for no other', () => {
    const flat = files.filter((file) => folderOf(file) === '');
    expect(LAYERS.flat().sort()).toEqual(flat);
  });

  it('go down', () => {
    const upwards = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => folderOf(file) === '' && folderOf(target) === '')
        .filter((target) => layerOf(target) <= layerOf(file))
        .map((target) => `${file} → ${target}`),
    );
    expect(upwards).toEqual([]);
  });

  it('never lead from the root into an entry point of its own, nor from one into another', () => {
    const across = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => folderOf(target) !== '' && folderOf(target) !== folderOf(file))
        .map((target) => `${file} → ${target}`),
    );
    expect(across).toEqual([]);
  });

  it('have no cycle', () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('of what is pure lead to no package', () => {
    const pure = [...map.matchAll(/^\| `([^`]+)` .*\bpure\b/gm)].map(([, file = '']) => file);
    expect(pure).toEqual(expect.arrayContaining(['frame.ts', 'cursor.ts', 'rooms.ts']));
    const packages = [...pure.reduce(withImports, new Set<string>())].flatMap((file) =>
      [...textOf(file).matchAll(/^import (?!type )[^;]* from '([^.'][^']*)'/gm)].map(
        ([, name]) => `${file} → ${name}`,
      ),
    );
    expect(packages).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  /** The first code span of each row of a table and each item of a list, where it is the path of a file. */
  const named = (markdown: string): string[] =>
    [...markdown.matchAll(/^\s*(?:\||[-*]|\d+\.)[^`\n]*`([^`\n]+)`/gm)]
      .map(([, name = '']) => name)
      .filter((name) => /^[\w./-]+\.ts$/.test(name));

  it('has one line for each file in lib/, and names none that is not there', () => {
    expect(named(map).sort()).toEqual(files);
  });

  it('lists the files in an order in which imports point down', () => {
    const order = named(map);
    const upwards = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => order.indexOf(target) <= order.indexOf(file))
        .map((target) => `${file} → ${target}`),
    );
    expect(upwards).toEqual([]);
  });
});
