import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { defer, finalize, shareReplay, type Observable } from 'rxjs';
import type { Broadcaster } from '../broadcaster.js';
import type { SseConnection } from '../connection.js';
import { SseConnections } from '../connections.js';
import { Hubs } from '../hubs.js';
import { poll } from '../poll.js';
import { addressOf, pathOf } from '../response.js';
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
/** What the app sees as the reason of what is closed here, and `closes` shows. */
const CLOSE_REASON = 'inspector';

/** What the page shows, and what it can do. */
@Injectable()
export class Inspector {
  private readonly own = new WeakSet<SseConnection>();
  private traffic: Traffic | undefined;

  constructor(
    private readonly connections: SseConnections,
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
      ([name, broadcaster]) => broadcaster.size(room) > 0 && (hub === undefined || hub === name),
    );
    for (const [, broadcaster] of hubs) broadcaster.closeRoom(room, CLOSE_REASON);
    return hubs.length > 0;
  }

  private hubsByName(): Map<string, Broadcaster> {
    return new Map([...this.hubs.running].map(([broadcaster, name]) => [name, broadcaster]));
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

  private inspect(connection: SseConnection, eventsPerSecond: number): InspectedConnection {
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

  private listRooms(hubs: ReadonlyMap<string, Broadcaster>): InspectorState['rooms'] {
    const all = [...hubs].flatMap(([hub, broadcaster]) => this.roomsOf(hub, broadcaster));
    const list = firstOf(
      all,
      MAX_LISTED,
      (one, other) =>
        other.eventsPerSecond - one.eventsPerSecond || other.connections - one.connections,
    );
    return { count: all.length, list, leftOut: all.length - list.length };
  }

  private roomsOf(hub: string, broadcaster: Broadcaster): InspectedRoom[] {
    const rates = this.traffic?.perRoom(hub) ?? new Map<string, number>();
    const names = new Set([...broadcaster.rooms(), ...rates.keys()]);
    return [...names].map((name) => ({
      hub,
      name,
      connections: broadcaster.size(name),
      eventsPerSecond: rates.get(name) ?? 0,
    }));
  }
}
