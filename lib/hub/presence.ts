import { Subject } from 'rxjs';
import type { SseConnection } from '../connection/sse-connection.js';
import { SseError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import type { LoggedEvent } from '../log/event.js';
import type { EventLog } from '../log/event-log.js';
import type { Delivery, RoomListener } from './delivery.js';
import { HeldMembers } from './held-members.js';
import type { HeldMember } from './held-room.js';
import { SureLog } from './sure-log.js';
import {
  checkedMember,
  GRACE_MS,
  type PresenceChange,
  type PresenceOptions,
  type RoomMember,
} from './presence.options.js';
import { processesIn, PROCESSES } from './presence-rooms.js';
import { rosterOf } from '../wire/room-names.js';
import { memberOf, type RosterValue } from './roster.js';
import { RosterCleaner } from './roster-cleaner.js';
import { HubState, type StateHub } from './state.js';

/** What presence needs of its hub. */
export interface PresenceHub extends StateHub {
  readonly log: EventLog;
  readonly delivery: Delivery;
}

/**
 * Who is in the rooms of a hub. Rosters in the log have the members of all processes; each process
 * counts the connections of its own members, and removes the members of processes that die.
 */
export class Presence implements RoomListener {
  /** Each change once, in the process that made it. */
  readonly changes = new Subject<PresenceChange>();
  private readonly held: HeldMembers;
  private readonly log: SureLog;
  private readonly cleaner: RosterCleaner;
  private hasBegun = false;

  constructor(
    private readonly hub: PresenceHub,
    time: Time,
  ) {
    this.log = new SureLog(hub.log, hub.facts, time);
    const changed = (change: PresenceChange): void => this.changes.next(change);
    const clean = (address: string): Promise<void> => this.cleaner.clean(address);
    this.held = new HeldMembers(this.log, time, { changed, clean });
    this.cleaner = new RosterCleaner(this.log, time, this.held.lease, changed);
  }

  /** How many members this process holds, in all rooms. */
  get count(): number {
    return this.held.count;
  }

  /** From now on, this process removes the members of processes that die. */
  begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.hub.delivery.listen(PROCESSES, this);
    this.cleaner.sweep();
  }

  /**
   * Begins the presence of a stream. Its client, if it is a member, leaves when the result is
   * unsubscribed.
   * @throws SseOptionsError for a wrong member; what `member` throws
   */
  take(
    { member: ask, graceMs = GRACE_MS }: PresenceOptions,
    rooms: readonly string[],
    connection: SseConnection | undefined,
  ): Seat | undefined {
    this.begin();
    if (ask === undefined) return undefined;
    if (connection === undefined) {
      const remedy = 'pass `connection` to stream(), or leave out `member`';
      throw new SseError('SSE_OPTIONS', `\`presence.member\` has no connection: ${remedy}`);
    }
    const member = checkedMember(ask(connection), this.hub.facts.toPlain);
    if (member === undefined) return undefined;
    const members = rooms.map((room) => this.held.connect(room, member));
    const [only] = members;
    const all = members.length === 1 && only !== undefined ? only : members;
    return new Seat(this.held, all, graceMs);
  }

  /** All members of a room, the one that joined first at the front. */
  async members(room: string): Promise<RoomMember[]> {
    const roster = new HubState<Record<string, RosterValue>>(this.hub, rosterOf(room));
    const { entries } = await roster.entries();
    if (entries.length === 0) return [];
    // Read after the roster: a process has its lease before it writes a member.
    const { live } = processesIn((await new HubState(this.hub, PROCESSES).entries()).entries);
    const dead = new Set<string>();
    const members: RoomMember[] = [];
    for (const { key, value } of entries) {
      for (const address of value.on) if (!live.has(address)) dead.add(address);
      if (value.on.some((address) => live.has(address))) members.push(memberOf(key, value));
    }
    for (const address of dead) this.cleaner.cleanLater(address, room);
    return members.sort((one, other) => one.since - other.since);
  }

  /** After the streams of the hub have ended. */
  async close(): Promise<void> {
    await this.held.settled();
    this.cleaner.close();
    this.log.close();
    await this.held.close();
    this.changes.complete();
  }

  /** A change of the leases of all processes. */
  event(event: LoggedEvent): void {
    const address = this.held.lease.changed(event);
    if (address === undefined) return;
    // mutant: the members of a process that has died stay
    this.cleaner.cleanLater(address);
  }

  lost(): void {
    this.cleaner.sweep();
  }

  restart(): void {
    this.held.lease.replace();
    this.cleaner.sweep();
  }
}

/** A connection as a member of rooms: mostly of one, so that is kept without a list. */
export class Seat {
  constructor(
    private readonly held: HeldMembers,
    private members: HeldMember | readonly HeldMember[],
    private readonly graceMs: number,
  ) {}

  unsubscribe(): void {
    this.giveUp(this.graceMs);
  }

  /** At once: the client is still there, and has left the rooms. */
  leave(): void {
    this.giveUp(0);
  }

  private giveUp(graceMs: number): void {
    const members = [this.members].flat();
    this.members = NOBODY;
    for (const member of members) this.held.disconnect(member, graceMs);
  }
}

const NOBODY: readonly HeldMember[] = [];
