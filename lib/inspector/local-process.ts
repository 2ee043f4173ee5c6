import { hostname } from 'node:os';
import type { Registry } from '../connection/registry.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { Hub } from '../hub/hub.js';
import type { Hubs } from '../hub/hubs.js';
import { ConnectionList } from './connection-list.js';
import { Counting } from './counting.js';
import type { Facts } from './facts.js';
import type { Look } from './look.js';
import { NoteKeeper } from './note-keeper.js';
import type { Action } from './peers.js';
import type { ProcessReport } from './process-report.js';
import { RoomList } from './room-list.js';
import { Sampler } from './sampler.js';
import type { InspectorSamples } from './state.js';

/** The close reason of streams that the inspector closes. The app and `closes` show it. */
const CLOSE_REASON = 'inspector';

const NO_SAMPLES = { open: [], bufferedBytes: [], delivered: [], bytes: [], opened: [] };

/** Lists remember where they stopped, so each page has its own. */
export interface Lists {
  readonly connections: ConnectionList;
  readonly rooms: RoomList;
}

/** What the inspector knows of this process, and does in it. */
export class LocalProcess {
  readonly id: string;
  private readonly own = new WeakSet<SseConnection>();
  private readonly isOwn = (connection: SseConnection): boolean => this.own.has(connection);
  readonly counting = new Counting(this.isOwn);
  private readonly startedAt = Date.now();
  private notes: NoteKeeper | undefined;
  private sampler: Sampler | undefined;

  constructor(
    private readonly registry: Registry,
    private readonly hubs: Hubs,
    private readonly facts: Facts,
  ) {
    this.id = this.hubNamed('')?.peers.address ?? '';
  }

  start(): void {
    const notes = (this.notes = new NoteKeeper(this.id, this.isOwn));
    this.sampler = new Sampler(this.registry, this.isOwn, (connection) => notes.look(connection));
  }

  stop(): void {
    this.sampler?.stop();
    this.notes?.stop();
    this.counting.stop();
  }

  /** A connection of the inspector itself, which is marked as such. */
  markOwn(connection: SseConnection): void {
    this.own.add(connection);
  }

  hubNamed(name: string): Hub | undefined {
    return [...this.hubs.running].find((hub) => hub.name === name);
  }

  newLists(): Lists {
    const { id, isOwn, facts } = this;
    const connections = new ConnectionList(this.registry, { process: id, isOwn, facts });
    return { connections, rooms: new RoomList() };
  }

  /** With lists of at most `max`, which are empty where another process is looked at. */
  report(look: Look, { connections, rooms }: Lists, max: number): ProcessReport {
    const { traffic } = this.counting;
    const { running } = this.hubs;
    const listed = look.process === '' || look.process === this.id ? max : 0;
    return {
      id: this.id,
      pid: process.pid,
      host: hostname(),
      connections: connections.list(look, listed, traffic?.perConnection()),
      rooms: rooms.list(running, look, listed, (hub) => traffic?.perRoom(hub)),
      hubs: [...running].map(({ name, log }) => ({ name, trouble: log.trouble ?? null })),
      traffic: traffic?.report() ?? null,
      notes: this.notes?.report() ?? { since: this.startedAt, list: [] },
    };
  }

  samples(): InspectorSamples {
    return this.sampler?.report() ?? NO_SAMPLES;
  }

  /** Answers whether there was something to do. */
  act(action: Action): boolean {
    return action.close === 'connection'
      ? this.closeConnection(action.id)
      : this.closeRoom(action.room, action.hub);
  }

  private closeConnection(id: string): boolean {
    const connection = this.registry.find((one) => one.id === id);
    connection?.close(CLOSE_REASON);
    return connection !== undefined;
  }

  /** Of one hub, or of each that has a room of this name. */
  private closeRoom(room: string, hub?: string): boolean {
    const hubs = [...this.hubs.running].filter(
      (one) => one.size(room) > 0 && (hub === undefined || hub === one.name),
    );
    for (const one of hubs) one.closeRoom(room, CLOSE_REASON);
    return hubs.length > 0;
  }
}
