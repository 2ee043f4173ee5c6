/** A queue. `push()`, `shift()` and access by index take constant time. */
export class Ring<T> {
  private items: (T | undefined)[] = [];
  private start = 0;

  get length(): number {
    return this.items.length - this.start;
  }

  push(item: T): void {
    if (this.length > 0) {
      this.items.push(item);
      return;
    }
    // Most rooms have few events. An array literal allocates one slot; `push()` to an empty array
    // allocates 17.
    this.items = [item];
    this.start = 0;
  }

  at(index: number): T | undefined {
    return this.items[this.start + index];
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.items[this.start];
    this.items[this.start++] = undefined;
    // Moving the rest costs no more than the shifts since the last move.
    if (this.start > 8 && this.start * 2 > this.items.length) {
      this.items = this.items.slice(this.start);
      this.start = 0;
    }
    return item;
  }

  slice(from: number, to: number): T[] {
    return this.items.slice(this.start + from, this.start + Math.min(to, this.length)) as T[];
  }

  /**
   * The index of the first item for which `isAfter` holds. It must also hold for all later items.
   */
  firstIndex(isAfter: (item: T) => boolean): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAfter(this.items[this.start + middle] as T)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
