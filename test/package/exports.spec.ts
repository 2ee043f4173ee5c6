import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from '@jest/globals';
import * as root from 'nestjs-eventstream';

const folder = join(import.meta.dirname, '../..');
const textOf = (path: string): string => readFileSync(join(folder, path), 'utf8');

describe('the package', () => {
  // feature: 104
  it('exports these names, and no others', () => {
    expect(Object.keys(root).sort()).toEqual([
      'Broadcast',
      'Broadcaster',
      'Connection',
      'InjectBroadcaster',
      'LastEventId',
      'SSE_CHANNELS',
      'SSE_DEFAULTS',
      'SseClosedError',
      'SseConflictError',
      'SseConnection',
      'SseConnections',
      'SseData',
      'SseError',
      'SseHealth',
      'SseId',
      'SseInvalidEventError',
      'SseInvalidFieldError',
      'SseLimitError',
      'SseModule',
      'SseNotStreamableError',
      'SseOptionsError',
      'SseRetry',
      'SseRoomsError',
      'SseSerializeError',
      'SseStream',
      'SseType',
      'acceptsEventStream',
      'getBroadcasterToken',
      'poll',
    ]);
  });

  it('has none of the names that Nest has', () => {
    for (const name of ['Sse', 'SseOptions', 'SseSignal', 'MessageEvent']) {
      expect(root).not.toHaveProperty(name);
    }
  });

  // A folder without an index is a wing, which is no entry point.
  const folders = readdirSync(join(folder, 'lib'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => existsSync(join(folder, 'lib', path, 'index.ts')))
    .sort();
  const manifest = JSON.parse(textOf('package.json')) as {
    main: string;
    types: string;
    typesVersions: Record<string, Record<string, string[]>>;
    exports: object;
  };

  it('has an entry point for each folder with an index in lib/, and for the root', () => {
    const expected = ['', ...folders].map((name) => {
      const path = `lib/${name === '' ? '' : `${name}/`}index`;
      expect(existsSync(join(folder, `${path}.ts`))).toBe(true);
      // It must not have code of its own: there would be two of each class.
      const required = textOf(`${path}.cts`).replace(/^\/.*\n/gm, '');
      expect(required).toBe("export * from './index.js';\n");
      const built = `./dist/${path}`;
      return [
        name === '' ? '.' : `./${name}`,
        {
          require: { types: `${built}.d.cts`, default: `${built}.cjs` },
          default: { types: `${built}.d.ts`, default: `${built}.js` },
        },
      ] as const;
    });
    expect(manifest.exports).toEqual({
      ...Object.fromEntries(expected),
      './package.json': './package.json',
    });
  });

  it('has the same entry points for compilers that do not read `exports`', () => {
    const { main, types, typesVersions } = manifest;
    expect({ main, types }).toEqual({
      main: './dist/lib/index.js',
      types: './dist/lib/index.d.ts',
    });
    const expected = folders.map((name) => [name, [`dist/lib/${name}/index.d.ts`]] as const);
    expect(typesVersions).toEqual({ '*': Object.fromEntries(expected) });
  });

  // An app without `skipLibCheck` compiles them too. Internal members are stripped from them.
  it('has declarations that compile', () => {
    const config = ts.getParsedCommandLineOfConfigFile(
      join(folder, 'tsconfig.build.json'),
      { include: ['lib'] },
      { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
    )!;
    const outDir = mkdtempSync(join(folder, 'test/declarations-'));
    try {
      const built = { ...config.options, outDir, declarationMap: false, emitDeclarationOnly: true };
      ts.createProgram(config.fileNames, built).emit();
      const entries = ['', ...folders].map((name) => join(outDir, 'lib', name, 'index.d.ts'));
      const strict = { ...config.options, noEmit: true, skipLibCheck: false };
      const program = ts.createProgram(entries, strict);
      const own = program.getSourceFiles().filter(({ fileName }) => fileName.includes(outDir));
      expect(own.length).toBeGreaterThan(entries.length);
      const problems = own.flatMap((file) => [
        ...program.getSyntacticDiagnostics(file),
        ...program.getSemanticDiagnostics(file),
      ]);
      const texts = problems.map(({ file, messageText }) => [
        file?.fileName.slice(outDir.length),
        ts.flattenDiagnosticMessageText(messageText, ' '),
      ]);
      expect(texts).toEqual([]);
    } finally {
      rmSync(outDir, { recursive: true });
    }
  }, 120_000);
});
