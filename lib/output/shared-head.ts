import { ServerResponse } from 'node:http';

/** Node's table of the headers of a response: the name as it was set and the value, by name. */
type HeaderTable = Record<string, [name: string, value: unknown]>;

/** The newest head, which most responses of the same second have too. */
let lastText = '';
let lastTable: HeaderTable = {};
const TEXT = '_header';
let tableKey: symbol | undefined;

/**
 * Lets responses with equal headers share what Node keeps of them: the text, built from about
 * twenty parts, and the table that `getHeader()` reads. Call it when the head is written: from then
 * on Node changes neither. Both are private to Node, and are an eighth of the heap of an idle
 * connection (docs/decisions/022-what-an-idle-connection-lets-go.md). If Node keeps them in another
 * way, nothing is shared.
 */
export function shareHead(raw: ServerResponse): void {
  if (!(raw instanceof ServerResponse)) return;
  const head = raw as unknown as Record<string | symbol, unknown>;
  const text = head[TEXT];
  if (typeof text === 'string') {
    // The copy is flat: it no longer refers to the parts.
    if (text !== lastText) lastText = Buffer.from(text, 'latin1').toString('latin1');
    // Other characters are not those of a head.
    if (text === lastText) head[TEXT] = lastText;
  }
  tableKey ??= Object.getOwnPropertySymbols(raw).find(
    ({ description }) => description === 'kOutHeaders',
  );
  if (tableKey === undefined) return;
  const table = head[tableKey];
  if (!isTable(table)) return;
  if (areEqual(table, lastTable)) head[tableKey] = lastTable;
  else lastTable = table;
}

/** Lists are not shared, because `getHeader()` returns them as they are. */
function isTable(table: unknown): table is HeaderTable {
  if (typeof table !== 'object' || table === null) return false;
  for (const name in table) {
    const entry = (table as Record<string, unknown>)[name];
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[1] === 'object') return false;
  }
  return true;
}

function areEqual(one: HeaderTable, other: HeaderTable): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => {
      const [known, value] = other[name] ?? [];
      return one[name]?.[0] === known && one[name]?.[1] === value;
    })
  );
}
