// The house rules of lib/: a folder with an index.ts is an entry point, one without is a wing, and
// imports go down the wings.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

/**
 * From the door to the ground. A file imports from its own wing and from those behind it, types
 * too.
 */
const ORDER = ['nest', 'hub', 'connection', 'output', 'log', 'schema', 'options', 'wire', 'ground'];

/** Entry points that are made of others. */
const MADE_OF: Readonly<Record<string, readonly string[]>> = {
  bullmq: ['runs'],
  shared: ['client'],
  react: ['client', 'shared'],
  ai: ['runs'],
};

const lib = join(import.meta.dirname, '../../lib');
const files = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll('\\', '/'))
  .sort();
const folders = readdirSync(lib, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const isEntryPoint = (folder: string): boolean => existsSync(join(lib, folder, 'index.ts'));

/** `''` for the files at the root. */
const folderOf = (file: string): string =>
  file.includes('/') ? file.slice(0, file.indexOf('/')) : '';

/** What a file imports, of lib/ as paths and of packages as names; with types. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(lib, file), 'utf8');
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) =>
      fileName.startsWith('.')
        ? posix.join(posix.dirname(file), fileName).replace(/\.js$/, '.ts')
        : fileName,
    );
}

const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** The imports that a rule forbids, for the message. */
const broken = (isAllowed: (from: string, to: string) => boolean): string[] =>
  [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => files.includes(target) && !isAllowed(file, target))
      .map((target) => `${file} → ${target}`),
  );

describe('the imports in lib/', () => {
  it('are found', () => {
    expect(imports.get('index.ts')).toContain('ground/errors.ts');
    // Types only.
    expect(imports.get('log/event-log.ts')).toContain('wire/cursor.ts');
    const own = [...imports.values()].flat().filter((target) => target.endsWith('.ts'));
    expect(own.filter((target) => !files.includes(target))).toEqual([]);
  });

  it('go down the wings', () => {
    expect(folders.filter((folder) => !isEntryPoint(folder)).sort()).toEqual([...ORDER].sort());
    const upwards = broken((file, target) => {
      const [from, to] = [file, target].map((path) => ORDER.indexOf(folderOf(path)));
      return from === -1 || to === -1 || from! <= to!;
    });
    expect(upwards).toEqual([]);
  });

  it('lead from no wing to an entry point, and from few of them to another', () => {
    const across = broken((file, target) => {
      const [from, to] = [folderOf(file), folderOf(target)];
      return from === to || ORDER.includes(to) || MADE_OF[from]?.includes(to) === true;
    });
    expect(across).toEqual([]);
  });

  it('have no circle', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('lead from the wire format to no package: it runs in browsers', () => {
    const found = new Set<string>();
    const visit = (file: string): void => {
      if (found.has(file)) return;
      found.add(file);
      imports.get(file)?.forEach(visit);
    };
    files.filter((file) => folderOf(file) === 'wire').forEach(visit);
    expect([...found].filter((target) => !target.endsWith('.ts'))).toEqual([]);
  });

  it('load what compresses only where it is used', () => {
    const loading = (target: string): string[] =>
      files.filter((file) => {
        const text = readFileSync(join(lib, file), 'utf8');
        return [...text.matchAll(/^import (?!type )[^;]*? from '(.+?)';/gms)].some(
          ([, name = '']) => name === target || name.endsWith(`/${target}.js`),
        );
      });
    expect(loading('node:zlib')).toEqual(['output/deflater.ts', 'output/gzip.ts']);
    expect(loading('deflater')).toEqual(['output/gzip.ts']);
    expect(loading('gzip')).toEqual([]);
    expect(imports.get('output/compression.ts')).toContain('output/gzip.ts');
  });

  it('take types alone from the MCP SDK', () => {
    const loading = files.filter((file) =>
      /^(?:import|export) (?!type )[^;]*? from '@modelcontextprotocol|import\('@model/m.test(
        readFileSync(join(lib, file), 'utf8'),
      ),
    );
    expect(loading).toEqual([]);
    expect(imports.get('mcp/event-store.ts')?.join()).toContain('@modelcontextprotocol/sdk');
  });

  it('begin at few places', () => {
    expect(readdirSync(lib).length).toBeLessThanOrEqual(24);
    expect(files.filter((file) => folderOf(file) === '')).toEqual(['index.ts']);
  });
});
