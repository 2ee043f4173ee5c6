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

/** By their entries. Several apps in one process may serve the same page. */
const bundles = new Map<string, string>();

/**
 * A module of a page with all that it imports, as one that browsers take. `entry` is its path
 * without an extension.
 */
export function bundle(entry: string): string {
  const known = bundles.get(entry);
  if (known !== undefined) return known;
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    alias: PACKAGE,
    // React has a slower build with warnings for development.
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const { text } = outputFiles[0]!;
  bundles.set(entry, text);
  return text;
}
