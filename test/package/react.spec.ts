// The entry points that pages load beside the client: for React, and for all others.
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import * as react from 'nestjs-eventstream/react';
import * as shared from 'nestjs-eventstream/shared';

const lib = join(import.meta.dirname, '../../lib');

async function bundle(entry: string): Promise<{ bytes: number; loads: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(lib, entry, 'index.ts')],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    packages: 'external',
  });
  const loads = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.map(({ path }) => path),
  );
  const bytes = gzipSync(outputFiles[0]!.contents).length;
  process.stdout.write(`/${entry}: ${bytes} B minified and zipped\n`);
  return { bytes, loads: [...new Set(loads)] };
}

describe('the entry point', () => {
  it('/react exports these names, loads React alone, and is at most 8.2 kB with the client', async () => {
    const names = ['useEvents', 'usePresence', 'useStream', 'useStreamState'];
    expect(Object.keys(react).sort()).toEqual(names);
    const { bytes, loads } = await bundle('react');
    expect(loads).toEqual(['react']);
    expect(bytes).toBeLessThanOrEqual(9_200);
  });

  it('/shared exports these names, loads no package, and is at most 8.1 kB with the client', async () => {
    expect(Object.keys(shared).sort()).toEqual(['sharedStream', 'updateQueries']);
    const { bytes, loads } = await bundle('shared');
    expect(loads).toEqual([]);
    expect(bytes).toBeLessThanOrEqual(9_100);
  });
});
