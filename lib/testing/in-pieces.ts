/** So many calls are answered within their time limit on a slow machine, too. */
const AT_ONCE = 50;

/** Makes a call for each item, with at most 50 of them in flight at the same time. */
export async function inPieces<T>(
  items: readonly T[],
  call: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const piece = items.slice(from, from + AT_ONCE);
    await Promise.all(piece.map((item, n) => call(item, from + n)));
  }
}
