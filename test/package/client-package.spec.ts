// `nestjs-eventstream-client`, built and packed as for a release, and installed into an empty
// folder without a registry: what a front-end project gets.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import type { AnyContract } from 'nestjs-eventstream/contract';
import { serve } from '../support/serve.js';
import { until } from '../support/until.js';

const root = join(import.meta.dirname, '../..');
const NAME = 'nestjs-eventstream-client';
const ENTRIES = JSON.parse(
  readFileSync(join(root, 'tools/client-package/entries.json'), 'utf8'),
) as { name: string; from: string; peers: string[] }[];
let temporary: string;
/** Of the front end. */
let folder: string;
let built: string;

async function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, timeout: 60_000 });
  return stdout.trim();
}

const readme = (): Promise<string> =>
  readFile(join(folder, 'node_modules', NAME, 'README.md'), 'utf8');

const makePackage = (): Promise<string> =>
  run(root, process.execPath, join(root, 'tools/client-package.mjs'), built);

/** The build of what a front end may import, and not of the server. Types are not checked. */
function compile(): void {
  const path = join(built, 'tsconfig.build.json');
  const config = ts.getParsedCommandLineOfConfigFile(
    path,
    { noCheck: true },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  )!;
  const entries = ENTRIES.flatMap(({ from }) =>
    ['ts', 'cts'].map((kind) => join(built, 'lib', from, `index.${kind}`)),
  );
  expect(ts.createProgram(entries, config.options).emit().emitSkipped).toBe(false);
}

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'client-package-'));
  built = join(temporary, 'built');
  for (const name of ['lib', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    await cp(join(root, name), join(built, name), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(built, 'node_modules'));
  compile();
  await makePackage();
  const packed = await run(join(built, 'dist/client-package'), 'npm', 'pack', '--loglevel=error');
  const tarball = join(built, 'dist/client-package', packed);
  folder = join(temporary, 'front-end');
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await run(folder, 'npm', 'install', '--offline', '--no-audit', '--no-fund', tarball);
}, 120_000);
afterAll(() => rm(temporary, { recursive: true, force: true }));

describe('the package for front ends', () => {
  it('is the only one that npm installs, in the version of the server', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    const listed = await run(folder, 'npm', 'ls', '--all', '--parseable', '--long');
    const [, ...packages] = listed.split('\n').map((line) => line.split(':')[1]);
    expect(packages).toEqual([`${NAME}@${version}`]);
  });

  it('is imported and required in Node, each class once', async () => {
    const names = ENTRIES.filter(({ peers }) => peers.length === 0).map(({ name }) => name);
    const script = `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      for (const name of process.argv.slice(2)) {
        const [imported, required] = [await import(name), require(name)];
        const keys = Object.keys(imported);
        console.log(keys.length > 0 && keys.every((key) => imported[key] === required[key]));
      }`;
    await writeFile(join(folder, 'load.mjs'), script);
    const specifiers = names.map((name) => posix.join(NAME, name));
    const printed = await run(folder, process.execPath, 'load.mjs', ...specifiers);
    expect(printed.split('\n')).toEqual(names.map(() => 'true'));
  });

  it('brings its sources, to which its maps lead', async () => {
    const at = join(folder, 'node_modules', NAME, 'dist/lib/client');
    const { sources } = JSON.parse(await readFile(join(at, 'connect.js.map'), 'utf8')) as {
      sources: [string];
    };
    const source = await readFile(join(at, sources[0]), 'utf8');
    expect(source).toBe(await readFile(join(root, 'lib/client/connect.ts'), 'utf8'));
  });

  it('is bundled for a browser alone, and reads events of a contract that it shares with the server', async () => {
    await writeFile(join(folder, 'contract.mjs'), CONTRACT);
    await writeFile(join(folder, 'page.mjs'), PAGE);
    const { metafile } = await bundle('page.mjs', 'bundle.mjs');
    const others = Object.keys(metafile.inputs).filter((path) => !path.startsWith('node_modules/'));
    expect(others).toEqual(['contract.mjs', 'page.mjs']);
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);

    const { orders } = (await import(join(folder, 'contract.mjs'))) as { orders: AnyContract };
    @Controller()
    class Orders {
      constructor(private readonly hub: Broadcaster) {}
      @SseStream(orders) events() {
        return this.hub.stream('orders', { rewind: 1 });
      }
    }
    const app = await serve(Orders, { sse: { contract: orders } });
    const hub = app.nest.get(Broadcaster);
    const wrong = hub.to('orders').emit('created', { no: '1' });
    await expect(wrong).rejects.toThrow('is not what its contract says: expected a number');
    await hub.to('orders').emit('created', { no: 1 });
    const reading = run(folder, process.execPath, 'bundle.mjs', app.url);
    await until('the page reads', () => hub.size('orders') === 1);
    await hub.to('orders').emit('created', { no: 2 });
    expect(await reading).toBe('1\n2\nclient');
  });

  it('is as large in a page as its README says', async () => {
    await writeFile(join(folder, 'small.mjs'), `export * from '${NAME}';`);
    const { outputFiles } = await bundle('small.mjs');
    const { length } = gzipSync(outputFiles![0]!.contents);
    process.stdout.write(`${NAME}: ${length} B minified and zipped\n`);
    const [, claimed] = /is ([\d.]+) kB zipped/.exec(await readme()) ?? [];
    expect(length).toBeLessThanOrEqual(Number(claimed) * 1_000);
    expect(length).toBeGreaterThan(Number(claimed) * 900);
  });

  it.each([
    ['node10', ts.ModuleResolutionKind.Node10, ts.ModuleKind.CommonJS, 'ts'],
    ['node16, as an ES module', ts.ModuleResolutionKind.Node16, ts.ModuleKind.Node16, 'mts'],
    ['nodenext, as an ES module', ts.ModuleResolutionKind.NodeNext, ts.ModuleKind.NodeNext, 'mts'],
    ['nodenext, as CommonJS', ts.ModuleResolutionKind.NodeNext, ts.ModuleKind.NodeNext, 'cts'],
    ['bundler', ts.ModuleResolutionKind.Bundler, ts.ModuleKind.ESNext, 'ts'],
  ])(
    'has types under %s, without those of Node',
    async (_title, moduleResolution, module, kind) => {
      const shown = (await readme()).matchAll(/^```ts\n([\s\S]*?)^```$/gm);
      const snippets = [...shown].map(([, code = '']) => code);
      expect(snippets).toHaveLength(2);
      const paths = await Promise.all(
        snippets.map(async (code, n) => {
          const path = join(folder, `snippet-${n}.${kind}`);
          // CommonJS has no `await` outside of functions.
          const text = code.replace('= await orders', '= {} as Awaited<typeof orders');
          await writeFile(path, `${text.replace('closed;', 'closed>;')}${WRONG[n]}`);
          return path;
        }),
      );
      await writeFile(join(folder, 'globals.d.ts'), GLOBALS);
      const options: ts.CompilerOptions = {
        module,
        moduleResolution,
        ignoreDeprecations: '6.0',
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipDefaultLibCheck: true,
        noEmit: true,
      };
      const files = [join(folder, 'globals.d.ts'), ...paths];
      const program = ts.createProgram(files, options, hostOf(options));
      const texts = ts
        .getPreEmitDiagnostics(program)
        .map(
          ({ file, messageText }) =>
            `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
        );
      expect(texts).toEqual([]);
    },
  );
});

describe('the tool that makes it', () => {
  it('refuses whatever is not in the package, in each form of an import', async () => {
    const faults = [
      ['client/attempt.js', "import 'rxjs';", 'imports "rxjs", which is not in the package; move'],
      ['client/body.js', "await import('node:fs');", 'imports "node:fs", which is not'],
      ['client/loop.js', "export * from '../nest/poll.js';", 'imports "../nest/poll.js", which'],
      ['wire/parser.js', 'await import(self.name);', 'imports what only its run decides'],
      ['client/index.cjs', "require('../../../x.js');", 'imports "../../../x.js", which'],
      ['contract/index.d.ts', "export type A = import('zod').A;", 'imports "zod", which'],
      ['wire/frame.d.ts', '/// <reference types="node" />', 'imports "node", which'],
    ] as const;
    for (const [name, line] of faults) {
      const path = join(built, 'dist/lib', name);
      await writeFile(path, `${line}\n${await readFile(path, 'utf8')}`);
    }
    const { message } = (await makePackage().catch((error: unknown) => error)) as Error;
    for (const [name, , problem] of faults) {
      expect(message).toContain(`\ndist/lib/${name} ${problem}`);
    }
    expect(message.match(/^dist.* imports /gm)).toHaveLength(faults.length);
  });
});

/** The types of browsers are parsed once for all programs. */
const parsed = new Map<string, ts.SourceFile | undefined>();
function hostOf(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  return {
    ...host,
    getSourceFile: (path, ...rest) => {
      if (!path.includes('typescript/lib/')) return host.getSourceFile(path, ...rest);
      if (!parsed.has(path)) parsed.set(path, host.getSourceFile(path, ...rest));
      return parsed.get(path);
    },
  };
}

async function bundle(entry: string, outfile?: string) {
  return await build({
    absWorkingDir: folder,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    ...(outfile === undefined ? { write: false } : { outfile }),
  });
}

/** A schema as any library of Standard Schema makes it. */
const CONTRACT = `
import { sseContract } from '${NAME}/contract';
const validate = (value) =>
  typeof value?.no === 'number' ? { value } : { issues: [{ message: 'expected a number' }] };
export const orders = sseContract({
  path: 'orders',
  events: { created: { '~standard': { version: 1, vendor: 'own', validate } } },
});
`;

/** Prints two events. */
const PAGE = `
import { connect } from '${NAME}';
import { orders } from './contract.mjs';
const stream = connect(orders, { baseUrl: process.argv[2], validate: true });
for await (const { data } of stream) {
  console.log(data.no);
  if (data.no === 2) break;
}
console.log((await stream.closed).reason);
`;

const GLOBALS = `
declare function show(no: number): void;
declare function freshToken(): Promise<string>;
declare module 'zod' {
  interface Schema<T> {
    readonly '~standard': {
      readonly version: 1;
      readonly vendor: string;
      readonly validate: (value: unknown) => { readonly value: T };
      readonly types?: { readonly input: T; readonly output: T };
    };
  }
  function number(): Schema<number>;
  function object<T>(shape: { [Key in keyof T]: Schema<T[Key]> }): Schema<T>;
}
`;

/** The events have types: each line is an error, which ends with the names that are right. */
const WRONG = [
  "\n// @ts-expect-error\norders.on('created', ({ data }) => show(data.total));\n",
  "\n// @ts-expect-error\nstream.on('created', ({ data }) => show(data.total));\n",
];
