// Compiles the files beside it with the project's options. A line below `@ts-expect-error` has to
// be wrong, everything else right: the compiler reports both kinds of surprise.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const folder = import.meta.dirname;
const root = join(folder, '../..');
const files = readdirSync(folder).filter((name) => name.endsWith('.types.ts'));

describe('the types', () => {
  let program: ts.Program;

  beforeAll(() => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
      ts.sys.readFile(path),
    );
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    program = ts.createProgram({
      rootNames: files.map((name) => join(folder, name)),
      options: { ...options, noEmit: true },
    });
  }, 60_000);

  // feature: 8, 17, 20, 28, 55, 86
  it.each(files)('are as %s says', (name) => {
    const source = program.getSourceFile(join(folder, name));
    expect(source).toBeDefined();
    const diagnostics = [
      ...program.getOptionsDiagnostics(),
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ];
    const report = ts.formatDiagnostics(diagnostics, {
      getCurrentDirectory: () => root,
      getCanonicalFileName: (path) => path,
      getNewLine: () => '\n',
    });
    expect(report).toBe('');
  });

  it('are checked at all: each file expects errors', () => {
    const without = files.filter(
      (name) => !program.getSourceFile(join(folder, name))?.text.includes('// @ts-expect-error'),
    );
    expect(files.length).toBeGreaterThan(3);
    expect(without).toEqual([]);
  });
});
