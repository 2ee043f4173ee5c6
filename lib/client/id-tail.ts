/** Cursors, what they are about, and the mark of a slow client. */
const PARTS = /^(.*?)((?:~[rgjk]\.[\w-]+)*)(~s\.[\w-]+)?$/s;

/**
 * An id as the client returns with it. The server says what its ids are about only in some of them;
 * the client keeps it for the others.
 */
export function withTail(id: string, before: string | undefined): string {
  if (before === undefined || !id.startsWith('1.')) return id;
  const [, cursors = '', tail = '', mark = ''] = PARTS.exec(id) ?? [];
  return cursors + (tail || (PARTS.exec(before)?.[2] ?? '')) + mark;
}
