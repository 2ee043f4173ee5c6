// For tests of whole processes: `node --import <this file> main.ts` runs lib/ and sample/ as they
// are, without a build, compiled as Jest compiles them.
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import swc from '@swc/core';
import jest from '../../jest.config.js';

const root = new URL('../../', import.meta.url);
const [[, compilerOptions]] = Object.values(jest.transform);

// The hooks below run on a thread of their own, which loads this file again.
if (isMainThread) register(import.meta.url);

export function resolve(specifier, context, next) {
  const entry = /^nestjs-eventstream(\/.+)?$/.exec(specifier);
  if (entry !== null) return next(new URL(`lib${entry[1] ?? ''}/index.ts`, root).href, context);
  const isOurs = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  return next(isOurs ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith(root.href) || !url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const source = await readFile(filename, 'utf8');
  const { code } = await swc.transform(source, { ...compilerOptions, filename });
  return { format: 'module', source: code, shortCircuit: true };
}
