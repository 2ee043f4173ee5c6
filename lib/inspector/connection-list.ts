import type { Registry } from '../connection/registry.js';
import type { Stream } from '../connection/stream.js';
import { addressOf, pathOf } from '../output/request.js';
import { revokeBy, type Facts } from './facts.js';
import { firstOf } from './first-of.js';
import { matcher, type Look } from './look.js';
import { shortened } from './notes.js';
import type { InspectedConnection, InspectedConnections } from './state.js';

const MAX_ROOMS_OF_CONNECTION = 10;
/** Of one connection, for a search. */
const MAX_ROOMS_SEARCHED = 1_000;
/** A second: each takes about 1 µs, and the app has other things to do. */
const MAX_SEARCHED = 10_000;

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

  constructor(
    private readonly registry: Registry,
    private readonly known: Known,
  ) {}

  list(
    look: Look,
    max: number,
    rates?: ReadonlyMap<unknown, number> | undefined,
  ): InspectedConnections {
    const all = this.registry.list();
    let [open, blocked, bufferedBytes] = [0, 0, 0];
    for (const connection of all) {
      if (this.known.isOwn(connection)) continue;
      open++;
      if (connection.isBlocked) blocked++;
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
    if (candidates.length <= MAX_SEARCHED) return candidates.filter(matches);
    const from = this.searchedUpTo % candidates.length;
    this.searchedUpTo = from + MAX_SEARCHED;
    const part = new Set(candidates.slice(from, this.searchedUpTo));
    const open = new Set(candidates);
    this.found = this.found.filter((one) => open.has(one) && !part.has(one));
    for (const one of part) if (matches(one)) this.found.push(one);
    return this.found;
  }

  /** In the order in which they are likely to match, as a search stops at the first that does. */
  private textsOf(connection: Stream): string[] {
    const { request, id, cursor } = connection;
    const facts = Object.values(this.known.facts.of(connection)).map(String);
    return [
      ...facts,
      pathOf(request),
      addressOf(request),
      id,
      ...cursor.firstRooms(MAX_ROOMS_SEARCHED),
    ];
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
