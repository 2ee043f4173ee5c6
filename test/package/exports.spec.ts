import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as root from 'nestjs-eventstream';

const folder = join(import.meta.dirname, '../..');

describe('the package', () => {
  it('exports these names, and no others', () => {
    expect(Object.keys(root).sort()).toEqual([
      'Broadcaster',
      'Connection',
      'InjectBroadcaster',
      'LastEventId',
      'SSE_CHANNELS',
      'SSE_DEFAULTS',
      'SseClosedError',
      'SseConnection',
      'SseConnections',
      'SseData',
      'SseError',
      'SseHealth',
      'SseId',
      'SseInvalidFieldError',
      'SseLimitError',
      'SseModule',
      'SseNotStreamableError',
      'SseOptionsError',
      'SseRetry',
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

  it('has an entry point for each folder in lib/, and for the root', () => {
    const lib = join(folder, 'lib');
    const folders = readdirSync(lib, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    const expected = ['', ...folders].map((name) => {
      const built = `./dist/lib/${name === '' ? '' : `${name}/`}index`;
      expect(existsSync(join(lib, name, 'index.ts'))).toBe(true);
      return [
        name === '' ? '.' : `./${name}`,
        { types: `${built}.d.ts`, default: `${built}.js` },
      ] as const;
    });
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      exports: object;
    };
    expect(manifest.exports).toEqual({
      ...Object.fromEntries(expected),
      './package.json': './package.json',
    });
  });
});
