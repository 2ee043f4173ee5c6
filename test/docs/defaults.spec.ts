import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { textOf } from './documents.js';

/** `{ a: { b: 1 } }` as `a.b` and `1`. */
function leaves(value: object, path = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    typeof inner === 'object' && inner !== null
      ? leaves(inner, `${path}${key}.`)
      : [[path + key, typeof inner === 'string' ? `'${inner}'` : String(inner)]],
  );
}

describe('the page of defaults', () => {
  // feature: 103
  it('has what SSE_DEFAULTS has, in its order', () => {
    const [, table = ''] = textOf('docs/guide/options.md').split('<!-- defaults -->');
    const rows = [...table.matchAll(/^\| `(.+?)` +\| `(.+?)`/gm)];
    expect(rows.map(([, option, value]) => [option, value])).toEqual(leaves(SSE_DEFAULTS));
  });
});
