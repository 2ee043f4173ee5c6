import type { Registry } from '../connection/registry.js';
import type { Stream } from '../connection/stream.js';
import { addressOf, pathOf } from '../output/request.js';
import { revokeBy, type Facts } from './facts.js';
import { firstOf } from './first-of.js';
import { matcher, type Look } from './look.js';
import { shortened } from './notes.js';
import type { InspectedConnection, InspectedConnections } from './state.js';

const MAX_ROOMS_OF_CONNECTION = 10;
/** A search looks at this many rooms of each connection. */
const MAX_ROOMS_SEARCHED = 1_000;
/** A search may block the app for this long, once per second. */
const SEARCH_MS = 10;
/** A search looks at this many connections even if it takes longer than `SEARCH_MS`. */
const MIN_SEARCHED = 500;

/** What a list says of each of its connections. */
interface Known {
  readonly process: string;
  readonly isOwn: (connection: Stream) => boolean;
  readonly facts: Facts;
}

/** The connections of this process as one page looks at them. */
export class ConnectionList {
  /** What the last search has found, and where it stopped. */
  private found: Stream[] = [];
  private searchedUpTo = 0;
  /** What does not change: Express computes the address at each call. */
  private readonly fixedTexts = new WeakMap<Stream, string>();

  constructor(
    private readonly registry: Registry,
    private readonly known: Known,
  ) {}

  list(look: Look, max: number, rates?: ReadonlyMap<unknown, number>): InspectedConnections {
    const all = this.registry.list();
    let [open, blocked, bufferedBytes] = [0, 0, 0];
    for (const connection of all) {
      if (this.known.isOwn(connection)) continue;
      open++;
      if (!connection.isBlocked) continue;
      blocked++;
      bufferedBytes += connection.bufferedBytes;
    }
    const found = max === 0 ? [] : this.search(all, look);
    const rateOf = (connection: Stream) => rates?.get(connection) ?? 0;
    const listed = firstOf(
      found,
      max,
      (one, other) =>
        Number(other.isBlocked) - Number(one.isBlocked) ||
        rateOf(other) - rateOf(one) ||
        other.sentEvents - one.sentEvents,
    );
    return {
      open,
      blocked,
      bufferedBytes,
      inspectors: all.length - open,
      found: found.length,
      list: listed.map((connection) => this.inspect(connection, rateOf(connection))),
      leftOut: found.length - listed.length,
    };
  }

  private search(all: readonly Stream[], { search, slow }: Look): readonly Stream[] {
    const candidates = slow ? all.filter((one) => one.isBlocked || one.droppedEvents > 0) : all;
    if (search === '') return candidates;
    const isFound = matcher(search);
    const matches = (one: Stream) => this.textsOf(one).some(isFound);
    const deadline = performance.now() + SEARCH_MS;
    const looked = new Set<Stream>();
    const found: Stream[] = [];
    // Where very many are open, each time another part of them.
    for (let n = 0; n < candidates.length; n++) {
      const isLate = n >= MIN_SEARCHED && n % 100 === 0 && performance.now() > deadline;
      if (isLate) break;
      const one = candidates[(this.searchedUpTo + n) % candidates.length]!;
      looked.add(one);
      if (matches(one)) found.push(one);
    }
    if (looked.size < candidates.length) {
      const open = new Set(candidates);
      found.push(...this.found.filter((one) => open.has(one) && !looked.has(one)));
      this.searchedUpTo = (this.searchedUpTo + looked.size) % candidates.length;
    }
    return (this.found = found);
  }

  private textsOf(connection: Stream): string[] {
    const facts = Object.values(this.known.facts.of(connection)).map(String);
    const rooms = connection.cursor.firstRooms(MAX_ROOMS_SEARCHED);
    return [...facts, this.fixedTextOf(connection), ...rooms];
  }

  private fixedTextOf(connection: Stream): string {
    const known = this.fixedTexts.get(connection);
    if (known !== undefined) return known;
    const { request, id } = connection;
    // A search is one line, so it never matches the end of one and the beginning of the next.
    const text = [readable(pathOf(request)), addressOf(request), id].join('\n');
    this.fixedTexts.set(connection, text);
    return text;
  }

  private inspect(connection: Stream, eventsPerSecond: number): InspectedConnection {
    const { request, id, sentEvents, sentBytes, bufferedBytes, droppedEvents, isBlocked, cursor } =
      connection;
    const facts = this.known.facts.of(connection);
    return {
      id,
      process: this.known.process,
      path: shortened(pathOf(request)),
      address: addressOf(request),
      userAgent: shortened(request.headers['user-agent'] ?? ''),
      openedAt: connection.openedAt ?? Date.now(),
      facts,
      revokeBy: revokeBy(facts, connection),
      rooms: cursor.firstRooms(MAX_ROOMS_OF_CONNECTION),
      roomCount: cursor.roomCount,
      eventsPerSecond,
      sentEvents,
      sentBytes,
      bufferedBytes,
      droppedEvents,
      isBlocked,
      isInspector: this.known.isOwn(connection),
    };
  }
}

/** As the page shows it, and as people type it. */
function readable(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
