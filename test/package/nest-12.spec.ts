// A new app of Nest 12: ES modules, Vitest. It moves from `@Sse()` to `@SseStream()`.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { giveStream, moveStream, STREAM_TEST, TICKS } from './support/moved-app.js';
import { eventsOf, NestApp } from './support/nest-app.js';

const cli = join(import.meta.dirname, '../../node_modules/.bin/nest');
let app: NestApp;

beforeAll(async () => {
  app = await NestApp.create([cli], {
    '@rspack/core': '^2.1.10',
    '@swc/cli': '^0.8.0',
    '@swc/core': '^1.15.18',
    'tsconfig-paths-webpack-plugin': '^4.2.0',
    'webpack-node-externals': '^3.0.0',
  });
}, 300_000);
afterAll(() => app.remove());

describe('an app that the command line of Nest 12 makes', () => {
  it('streams with @Sse()', async () => {
    await giveStream(app);
    await app.run('npx', 'nest', 'build');
    expect(eventsOf(await app.stream('dist/main.js', '/ticks'))).toEqual(TICKS);
  }, 120_000);

  it('streams the same with @SseStream(), with another import and name', async () => {
    await moveStream(app);
    await app.run('npx', 'nest', 'build');
    const stream = await app.stream('dist/main.js', '/ticks');
    expect(stream).toContain(': connected');
    expect(eventsOf(stream)).toEqual(TICKS);
  }, 120_000);

  it.each(['swc', 'swc --type-check', 'rspack'])(
    'streams when it is built with --builder %s',
    async (builder) => {
      await app.run('npx', 'nest', 'build', '--builder', ...builder.split(' '));
      expect(eventsOf(await app.stream('dist/main.js', '/ticks'))).toEqual(TICKS);
    },
    120_000,
  );

  it('tests its streams with Vitest as it is', async () => {
    await app.write({
      'test/stream.e2e-spec.ts': STREAM_TEST.replace('app.module', 'app.module.js'),
    });
    const printed = await app.run('npm', 'run', 'test:e2e', '--', 'stream');
    expect(printed).toContain('1 passed');
  }, 120_000);
});
