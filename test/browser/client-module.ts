import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const folder = join(import.meta.dirname, '../../lib/client');

/** A file of `lib/client`, such as `index.js`, as a browser takes it: without its types, else as it is. */
export function clientModule(file: string): string {
  const source = readFileSync(join(folder, file.replace(/\.js$/, '.ts')), 'utf8');
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}
