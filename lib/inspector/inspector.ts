import { hostname } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import { defer, finalize, shareReplay, type Observable } from 'rxjs';
import type { Hub } from '../hub/hub.js';
import type { Registry } from '../connection/registry.js';
import { SseConnections } from '../connection/sse-connections.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { Stream } from '../connection/stream.js';
import { Hubs } from '../hub/hubs.js';
import { poll } from '../nest/poll.js';
import { addressOf, pathOf } from '../output/request.js';
import { shortened } from './notes.js';
import {
  firstOf,
  type InspectedConnection,
  type InspectedRoom,
  type InspectorState,
} from './state.js';
import { Traffic } from './traffic.js';

const INTERVAL_MS = 1_000;
/** The page has to be read by a person, and the state written every second. */
const MAX_LISTED = 200;
const MAX_ROOMS_OF_CONNECTION = 10;
/**
 * Of a hub, each second: how many read a room takes 0.3 µs to find, and the app has other things to
 * do.
 */
const MAX_LOOKED_AT = 20_000;
/** What the app sees as the reason of what is closed here, and `closes` shows. */
const CLOSE_REASON = 'inspector';

/** What the page shows, and what it can do. */
@Injectable()
export class Inspector {
  private readonly own = new WeakSet<SseConnection>();
  private traffic: Traffic | undefined;
  private listedRooms: readonly InspectedRoom[] = [];
  private lookedUpTo = 0;

  constructor(
    @Inject(SseConnections) private readonly connections: Registry,
    private readonly hubs: Hubs,
  ) {}

  /** The state now and every second. Only while somebody subscribes is anything counted. */
  private readonly states = defer(() => {
    const traffic = (this.traffic = new Traffic((connection) => this.own.has(connection)));
    return poll(INTERVAL_MS, () => {
      traffic.nextInterval();
      return this.state();
    }).pipe(
      finalize(() => {
        traffic.stop();
        this.traffic = undefined;
      }),
    );
  }).pipe(shareReplay({ bufferSize: 1, refCount: true }));

  /** For a connection of the inspector itself, which is marked as such. */
  watch(connection: SseConnection): Observable<InspectorState> {
    this.own.add(connection);
    return this.states;
  }

  state(): InspectorState {
    const hubs = this.hubsByName();
    return {
      at: Date.now(),
      process: { pid: process.pid, host: hostname() },
      connections: this.listConnections(),
      rooms: this.listRooms(hubs),
      hubs: [...hubs].map(([name, { log }]) => ({ name, trouble: log.trouble ?? null })),
      traffic: this.traffic?.report() ?? null,
    };
  }

  /** Answers whether there was one. */
  closeConnection(id: string): boolean {
    const connection = this.connections.find((one) => one.id === id);
    connection?.close(CLOSE_REASON);
    return connection !== undefined;
  }

  /** Of one hub, or of each that has a room of this name. Answers whether somebody was in it. */
  closeRoom(room: string, hub?: string): boolean {
    const hubs = [...this.hubsByName()].filter(
      ([name, opened]) => opened.size(room) > 0 && (hub === undefined || hub === name),
    );
    for (const [, opened] of hubs) opened.closeRoom(room, CLOSE_REASON);
    return hubs.length > 0;
  }

  private hubsByName(): Map<string, Hub> {
    return new Map([...this.hubs.running].map((hub) => [hub.name, hub]));
  }

  private listConnections(): InspectorState['connections'] {
    const all = this.connections.list();
    const others = all.filter((connection) => !this.own.has(connection));
    const rates = this.traffic?.perConnection();
    const rateOf = (connection: SseConnection) => rates?.get(connection) ?? 0;
    const listed = firstOf(
      all,
      MAX_LISTED,
      (one, other) =>
        Number(other.isBlocked) - Number(one.isBlocked) ||
        rateOf(other) - rateOf(one) ||
        other.sentEvents - one.sentEvents,
    );
    return {
      open: others.length,
      blocked: others.filter(({ isBlocked }) => isBlocked).length,
      bufferedBytes: others.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      inspectors: all.length - others.length,
      list: listed.map((connection) => this.inspect(connection, rateOf(connection))),
      leftOut: all.length - listed.length,
    };
  }

  private inspect(connection: Stream, eventsPerSecond: number): InspectedConnection {
    const { request, id, sentEvents, sentBytes, bufferedBytes, droppedEvents, isBlocked } =
      connection;
    const { rooms } = connection.cursor;
    return {
      id,
      path: shortened(pathOf(request)),
      address: addressOf(request),
      userAgent: shortened(request.headers['user-agent'] ?? ''),
      openedAt: connection.openedAt ?? Date.now(),
      rooms: rooms.slice(0, MAX_ROOMS_OF_CONNECTION),
      roomCount: rooms.length,
      eventsPerSecond,
      sentEvents,
      sentBytes,
      bufferedBytes,
      droppedEvents,
      isBlocked,
      isInspector: this.own.has(connection),
    };
  }

  private listRooms(hubs: ReadonlyMap<string, Hub>): InspectorState['rooms'] {
    let count = 0;
    const looked = [...hubs].flatMap(([hub, opened]) => {
      const read = opened.rooms();
      const rates = this.traffic?.perRoom(hub) ?? new Map<string, number>();
      const names = new Set([...rates.keys(), ...this.toLookAt(hub, read)]);
      const rooms = [...names].map((name) => ({
        hub,
        name,
        connections: opened.size(name),
        eventsPerSecond: rates.get(name) ?? 0,
      }));
      const seen = rooms.filter((room) => room.connections + room.eventsPerSecond > 0);
      count += read.length + seen.filter(({ connections }) => connections === 0).length;
      return seen;
    });
    const list = firstOf(
      looked,
      MAX_LISTED,
      (one, other) =>
        other.eventsPerSecond - one.eventsPerSecond || other.connections - one.connections,
    );
    this.listedRooms = list;
    return { count, list, leftOut: count - list.length };
  }

  /**
   * Of very many rooms those that were among the first before, and each time another part of the
   * rest.
   */
  private toLookAt(hub: string, names: readonly string[]): Iterable<string> {
    if (names.length <= MAX_LOOKED_AT) return names;
    const from = this.lookedUpTo % names.length;
    this.lookedUpTo = from + MAX_LOOKED_AT;
    const before = this.listedRooms.filter((room) => room.hub === hub).map(({ name }) => name);
    return [...before, ...names.slice(from, this.lookedUpTo)];
  }
}
