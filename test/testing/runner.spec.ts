import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const folder = join(import.meta.dirname, '../../lib/testing');

it('the test kit needs no test runner: it imports Node, Nest, RxJS and the library', () => {
  const imports = readdirSync(folder).flatMap((name) => [
    ...readFileSync(join(folder, name), 'utf8').matchAll(/ from '([^']+)'/g),
  ]);
  const packages = imports.map(([, name = '']) => name).filter((name) => !name.startsWith('.'));
  const known = /^(node:|rxjs$|@nestjs\/common$)/;
  expect(packages.filter((name) => !known.test(name))).toEqual([]);
});
