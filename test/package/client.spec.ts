import { describe, expect, it } from '@jest/globals';
import { minifySync } from '@swc/core';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import * as client from 'nestjs-eventstream/client';
import * as tabs from 'nestjs-eventstream/client/tabs';
import { answer, status, streamOf } from '../client/support.js';

const folder = join(import.meta.dirname, '../../lib/client');

/** The modules that `file` loads, each once and behind those that it loads itself. */
function modulesOf(file: string, modules = new Map<string, string>()): Map<string, string> {
  const source = readFileSync(join(folder, file), 'utf8');
  const compilerOptions = { target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  for (const [, name = ''] of outputText.matchAll(/ from '([^']+)'/g)) {
    if (!name.startsWith('.')) throw new Error(`${file} imports ${name}`);
    const next = posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts');
    if (!modules.has(next)) modulesOf(next, modules);
  }
  return modules.set(file, outputText);
}

/**
 * All of the client as one module, as a bundler makes it: the exports of the index, and nothing to
 * import.
 */
function bundle(): string {
  const modules = modulesOf('index.ts');
  modules.delete('index.ts');
  const bodies = [...modules.values()].map((text) =>
    text.replace(/^import .*;$/gm, '').replace(/^export /gm, ''),
  );
  return `${bodies.join('')}\nexport { connect, SseClientError };`;
}

/**
 * Runs a script with the client in a process of its own; resolves with what it printed, when it has
 * ended.
 */
async function run(script: string): Promise<string> {
  const args = ['--input-type=module', '-e', `${bundle()}\n${script}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  return stdout.trim();
}

describe('the client', () => {
  it('exports these names, and no others', () => {
    expect(Object.keys(client).sort()).toEqual(['SseClientError', 'connect']);
    expect(Object.keys(tabs)).toEqual(['connectTabs']);
  });

  it('loads nothing but its own files and what it shares with the server', () => {
    const loaded = [...modulesOf('index.ts').keys()];
    const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    const onlyTypes = ['connect.options.ts', 'room-state.ts', 'stream-event.ts', 'stream-state.ts'];
    const shared = ['json-or-text', 'parser', 'protocol', 'state-map'].map(
      (name) => `../wire/${name}.ts`,
    );
    expect([...loaded, ...onlyTypes].sort()).toEqual([...shared, ...files].sort());
  });

  it('names nothing that only Node has', () => {
    const ofNode = /\b(?:process|Buffer|require|setImmediate|global|__dirname)\b\s*[.(]/;
    for (const text of modulesOf('index.ts').values()) expect(text).not.toMatch(ofNode);
  });

  it('leaves a process that has closed its streams nothing to wait for', async () => {
    const away = await answer(status(503, { 'retry-after': '1000' }));
    const quiet = await answer(streamOf('data: 1\n\n'));
    const printed = await run(`
      const away = connect('${away.url}');
      await new Promise((resolve) => away.onState((state) => state === 'waiting' && resolve(away.close())));
      const quiet = connect('${quiet.url}');
      for await (const { data } of quiet) { console.log(data); break; }
      console.log(away.state, quiet.state);
    `);
    expect(printed).toBe('1\nclosed closed');
  }, 30_000);

  it('reports what a listener throws as uncaught, and goes on', async () => {
    const { url } = await answer(streamOf('data: 1\n\ndata: 2\n\n'));
    const printed = await run(`
      process.on('uncaughtException', ({ message }) => console.log(message));
      const stream = connect('${url}');
      stream.on('message', ({ data }) => { throw new Error('a bad listener of ' + data); });
      stream.on('message', ({ data }) => { if (data === 2) stream.close(); });
    `);
    expect(printed).toBe('a bad listener of 1\na bad listener of 2');
  }, 30_000);

  it('warns once of a storage that throws, and goes on', async () => {
    const { url } = await answer(streamOf('id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n'));
    const printed = await run(`
      console.warn = (text) => console.log(text.split(':')[0]);
      const fail = () => { throw new Error('the storage is full'); };
      for await (const { data } of connect('${url}', { persist: { getItem: fail, setItem: fail } })) {
        console.log(data);
        if (data === 2) break;
      }
    `);
    expect(printed.split('\n')).toEqual(['nestjs-eventstream', '1', '2']);
  }, 30_000);

  it('is at most 7.4 kB, minified and zipped', async () => {
    const { code } = minifySync(bundle(), { module: true, compress: true, mangle: true });
    // The bundle is whole: it loads, and exports what the entry point exports.
    const url = `data:text/javascript,${encodeURIComponent(code)}`;
    expect(Object.keys((await import(url)) as object).sort()).toEqual([
      'SseClientError',
      'connect',
    ]);
    const { length } = gzipSync(code);
    process.stdout.write(`the client: ${code.length} B minified, ${length} B zipped\n`);
    expect(length).toBeLessThanOrEqual(7_400);
  });
});
