/** Items that are due at some time: the earliest comes first. A binary heap. */
export class DueQueue<T extends { readonly dueAt: number }> {
  private items: T[] = [];

  get length(): number {
    return this.items.length;
  }

  /** When the first item is due; `Infinity` if there is none. */
  get dueAt(): number {
    return this.items[0]?.dueAt ?? Infinity;
  }

  push(item: T): void {
    const { items } = this;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = items[above] as T;
      if (parent.dueAt <= item.dueAt) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  shift(): T | undefined {
    const { items } = this;
    const [first] = items;
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.sink(last);
    return first;
  }

  /** Removes all items for which `stays` is false. */
  keep(stays: (item: T) => boolean): void {
    const kept = this.items.filter(stays);
    this.items = [];
    for (const item of kept) this.push(item);
  }

  /** Puts an item in the first place, and moves it down to where it belongs. */
  private sink(item: T): void {
    const { items } = this;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      const right = items[below + 1];
      if (right !== undefined && right.dueAt < (items[below] as T).dueAt) below++;
      const child = items[below] as T;
      if (child.dueAt >= item.dueAt) break;
      items[at] = child;
      at = below;
    }
    items[at] = item;
  }
}
