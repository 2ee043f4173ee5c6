/** A list that grows at its end and shrinks at its beginning, both in constant time. */
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
    // A list of one has room for one: V8 gives one that is pushed to room for 17, and most rooms
    // have few events.
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
    // Moving what is left costs as much as was shifted since the last time.
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
   * The index of the first item for which `isAfter` holds; it has to hold for all items behind it
   * too.
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
