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
/** A person reads the page, and the state is sent every second, so both lists are short. */
const MAX_LISTED = 200;
const MAX_ROOMS_OF_CONNECTION = 10;
/**
 * The rooms of a hub that are examined per second. Counting the readers of a room takes 0.3 µs,
 * and must not delay the app.
 */
const MAX_LOOKED_AT = 20_000;
/** The close reason that the app and `closes` see. */
const CLOSE_REASON = 'inspector';

/** The data and the actions of the page. */
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

  /** Emits the state at once and every second. Counts only while there are subscribers. */
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

  /** Streams the state to a connection, which is marked as one of the inspector. */
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

  /** Returns whether there was such a connection. */
  closeConnection(id: string): boolean {
    const connection = this.connections.find((one) => one.id === id);
    connection?.close(CLOSE_REASON);
    return connection !== undefined;
  }

  /** Closes the room in one hub, or in all. Returns whether it had readers. */
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
   * If there are very many rooms: those that were listed last time, and the next part of the rest.
   */
  private toLookAt(hub: string, names: readonly string[]): Iterable<string> {
    if (names.length <= MAX_LOOKED_AT) return names;
    const from = this.lookedUpTo % names.length;
    this.lookedUpTo = from + MAX_LOOKED_AT;
    const before = this.listedRooms.filter((room) => room.hub === hub).map(({ name }) => name);
    return [...before, ...names.slice(from, this.lookedUpTo)];
  }
}
