/** The first `count` items in the order of `compare`. Most items cost only one comparison. */
export function firstOf<T>(
  items: Iterable<T>,
  count: number,
  compare: (one: T, other: T) => number,
): T[] {
  const first: T[] = [];
  /** No item that sorts after this one is among the first. */
  let last: T | undefined;
  for (const item of items) {
    if (last !== undefined && compare(item, last) >= 0) continue;
    first.push(item);
    if (first.length < 2 * count) continue;
    first.sort(compare).length = count;
    last = first.at(-1);
  }
  return first.sort(compare).slice(0, count);
}
