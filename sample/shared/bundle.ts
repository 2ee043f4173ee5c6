import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** The package is this project itself: its sources or its build, whichever runs. */
const PACKAGE = Object.fromEntries(
  [
    'nestjs-eventstream/client',
    'nestjs-eventstream/client/tabs',
    'nestjs-eventstream/contract',
  ].map((name) => [name, fileURLToPath(import.meta.resolve(name))]),
);

/**
 * A module of a page with all that it imports, as one that browsers take. `entry` is its path
 * without an extension.
 */
export function bundle(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    alias: PACKAGE,
  });
  return outputFiles[0]!.text;
}
