interface Change {
  readonly room: string;
  readonly key: string;
  readonly value: unknown;
}

/** The copies of state rooms as a client keeps them that follows the guide. */
export class Copy {
  readonly gaps: unknown[] = [];
  private readonly maps = new Map<string, Map<string, unknown>>();
  private readonly coming = new Map<string, { map: Map<string, unknown>; left: number }>();

  /** The connection has dropped: what has come of a state is thrown away. */
  drop(): void {
    this.coming.clear();
  }

  take({ type, data }: { readonly type: string; readonly data: unknown }): void {
    if (type === 'sse-gap') this.gaps.push(data);
    if (type === 'sse-state') {
      const { rooms, entries } = data as { rooms: string[]; entries: number };
      for (const room of rooms) {
        const map = new Map<string, unknown>();
        if (entries === 0) this.maps.set(room, map);
        else this.coming.set(room, { map, left: entries });
      }
    }
    if (type === 'sse-set') this.set(data as Change);
    if (type === 'sse-delete') this.maps.get((data as Change).room)?.delete((data as Change).key);
  }

  private set({ room, key, value }: Change): void {
    const coming = this.coming.get(room);
    if (coming === undefined) {
      const map = this.maps.get(room) ?? new Map<string, unknown>();
      this.maps.set(room, map.set(key, value));
      return;
    }
    coming.map.set(key, value);
    if (--coming.left > 0) return;
    this.coming.delete(room);
    this.maps.set(room, coming.map);
  }

  of(room: string): Record<string, unknown> {
    return Object.fromEntries(this.maps.get(room) ?? []);
  }
}
