// What was published and what every client got of it, and whether that keeps the promise: each
// event that was acknowledged comes once and in order, or an `sse-gap` names its room before a
// later event of that room. Pure: it is told all times.
import { parseCursor } from './sse-parser.mjs';

export class Oracle {
  #events = new Map();
  #clients = new Map();
  #usedRooms = new Set();
  #losses = [];
  #acknowledged = 0;
  #foreign = [];
  #doubled = [];
  #seenElsewhere = 0;
  #disordered = [];

  /** Before its first attempt. */
  publishing({ uid, rooms, key, ephemeral = false, size, at }) {
    this.#events.set(uid, { uid, rooms, key, ephemeral, size, sentAt: at });
    for (const room of rooms) this.#usedRooms.add(room);
  }

  acknowledged(uid, cursor, at) {
    const event = this.#events.get(uid);
    event.ackedAt = at;
    this.#acknowledged++;
    Object.assign(event, cursor && parseCursor(cursor));
  }

  /** From then to then the log has lost what it knew, also the keys of what was published. */
  lostWrites(from, to) {
    this.#losses.push({ from, to });
  }

  client(name, rooms) {
    this.#clients.set(name, {
      name,
      rooms: new Set(rooms),
      since: undefined,
      /** Counts what comes, over all connections of this client. */
      seq: 0,
      connection: 0,
      /** On which connection each event came. */
      received: new Map(),
      byRoom: new Map(),
      gaps: [],
      heads: new Map(),
      /** What it saw, for the report of what it lost. */
      story: [],
    });
  }

  /** What comes from now on comes on another connection. */
  returned(name, { port, lastEventId, at } = {}) {
    const client = this.#clients.get(name);
    client.connection++;
    client.story.push({ at, left: port, with: lastEventId });
  }

  /** A cursor has come: from its first on, a client is owed everything. */
  cursor(name, at, id) {
    const client = this.#clients.get(name);
    client.since ??= at;
    client.story.push({ at, id });
  }

  received(name, { uid, id, size, isIntact = true, at }) {
    const client = this.#clients.get(name);
    const seq = client.seq++;
    client.story.push({ at, uid });
    const event = this.#events.get(uid);
    const isOwn = event?.rooms.some((room) => client.rooms.has(room));
    if (!isOwn || !isIntact || event.size !== size) {
      this.#foreign.push({ client: name, uid, id, rooms: event?.rooms });
      return;
    }
    const cursor = id === undefined ? undefined : parseCursor(id);
    const before = client.received.get(uid);
    if (before !== undefined) {
      // It has no id, so that a process which hears of it later cannot know that another had
      // delivered it.
      if (event.ephemeral && before !== client.connection) this.#seenElsewhere++;
      else this.#doubled.push({ client: name, uid, id, at });
      return;
    }
    client.received.set(uid, client.connection);
    if (cursor === undefined) return;
    const head = client.heads.get(cursor.epoch) ?? -1;
    if (cursor.position <= head) {
      this.#disordered.push({ client: name, uid, id, after: `${cursor.epoch} ${head}` });
    }
    client.heads.set(cursor.epoch, Math.max(head, cursor.position));
    for (const room of event.rooms) {
      if (!client.rooms.has(room)) continue;
      const inRoom = client.byRoom.get(room) ?? [];
      client.byRoom.set(room, inRoom);
      inRoom.push({ seq, at, event, ...cursor });
    }
  }

  gap(name, { rooms, reason, at }) {
    const client = this.#clients.get(name);
    // A gap can only be about what was published before, and names of thousands of rooms are not
    // kept for nothing.
    const used = rooms.filter((room) => this.#usedRooms.has(room));
    client.gaps.push({ seq: client.seq++, at, rooms: new Set(used) });
    client.story.push({ at, gap: reason, rooms: used.length });
  }

  /** What a client saw around a time, for whoever looks for the cause of a loss. */
  around(name, at, { beforeMs, afterMs }) {
    return this.#clients
      .get(name)
      .story.filter((item) => item.at > at - beforeMs && item.at < at + afterMs)
      .map(({ at: then, ...item }) => ({ ms: then - at, ...item }));
  }

  /** The clients that read this room and have neither this event nor a gap that covers it. */
  waiting(uid) {
    const event = this.#events.get(uid);
    return [...this.#clients.values()]
      .filter((client) => client.since !== undefined && client.since < event.sentAt)
      .filter((client) => event.rooms.some((room) => client.rooms.has(room)))
      .filter((client) => !client.received.has(uid) && !this.#isTold(client, event))
      .map(({ name }) => name);
  }

  /** Cheap, unlike `judge()`: it may be asked while everything goes on. */
  progress() {
    let received = 0;
    for (const client of this.#clients.values()) received += client.received.size;
    return { published: this.#events.size, acknowledged: this.#acknowledged, received };
  }

  judge() {
    const totals = { due: 0, delivered: 0, told: 0 };
    const lost = [];
    const readers = this.#readersByRoom();
    for (const event of this.#events.values()) {
      if (event.ackedAt === undefined || event.ephemeral) continue;
      const owed = new Set(event.rooms.flatMap((room) => readers.get(room) ?? []));
      for (const client of owed) {
        if (client.since === undefined || client.since >= event.sentAt) continue;
        totals.due++;
        if (client.received.has(event.uid)) totals.delivered++;
        else if (this.#isTold(client, event)) totals.told++;
        else lost.push({ client: client.name, ...event });
      }
    }
    const doubled = this.#doubled.filter(({ uid }) => !this.#isExcused(this.#events.get(uid)));
    return {
      published: this.#events.size,
      acknowledged: this.#acknowledged,
      ...totals,
      lost,
      doubled,
      /** Ephemeral events that a client got once more after it had come back. */
      ephemeralAgain: this.#seenElsewhere,
      /** Tried again after the log had lost that it was there already: nobody can know it then. */
      excused: this.#doubled.length - doubled.length,
      disordered: this.#disordered,
      foreign: this.#foreign,
    };
  }

  #readersByRoom() {
    const readers = new Map();
    for (const client of this.#clients.values()) {
      for (const room of client.rooms) {
        if (!this.#usedRooms.has(room)) continue;
        const list = readers.get(room) ?? [];
        readers.set(room, list);
        list.push(client);
      }
    }
    return readers;
  }

  /** In each of its rooms that the client reads, before anything later of that room. */
  #isTold(client, event) {
    return event.rooms.every((room) => {
      if (!client.rooms.has(room)) return true;
      const later = client.byRoom.get(room)?.find((entry) => isLater(entry, event));
      const before = later?.seq ?? Infinity;
      return client.gaps.some(
        (gap) => gap.seq < before && gap.at > event.sentAt && gap.rooms.has(room),
      );
    });
  }

  #isExcused({ key, sentAt, ackedAt = Infinity }) {
    return (
      key !== undefined && this.#losses.some(({ from, to }) => from <= ackedAt && sentAt <= to)
    );
  }
}

/**
 * Positions compare within an epoch only; otherwise what was sent after the other was acknowledged
 * is later.
 */
function isLater(entry, event) {
  if (entry.at < event.sentAt) return false;
  if (entry.epoch === event.epoch) return entry.position > event.position;
  return entry.event.sentAt > event.ackedAt;
}
