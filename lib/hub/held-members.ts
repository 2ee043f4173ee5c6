import { Logger } from '@nestjs/common';
import { describe, SseClosedError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import { RareLine } from '../ground/warnings.js';
import { Ring } from '../log/ring.js';
import { HeldMember, HeldRoom } from './held-room.js';
import { Lease } from './lease.js';
import type { SureLog } from './sure-log.js';
import type { CheckedMember, PresenceChange } from './presence.options.js';
import { PROCESSES } from './presence-rooms.js';
import { addTo, memberOf, removeFrom } from './roster.js';

/** At most this many entries are changed at the same time. */
const MAX_CHANGES = 16;
/** A change that failed, as for a room that is full, is tried again. */
const AGAIN_MS = 30_000;
/** The shutdown waits this long for changes under way. */
const CLOSE_MS = 2_000;

const logger = new Logger('Sse');

/** What the members of a process tell. */
interface Listener {
  changed(change: PresenceChange): void;
  /** Removes what is left in the log of an address that this process had. */
  clean(address: string): Promise<void>;
}

/**
 * The members with connections to this process. Each is brought to what its roster should have,
 * whatever happened before, so a lost lease and a failed call need no ways of their own.
 */
export class HeldMembers {
  /** How many there are, in all rooms. */
  count = 0;
  readonly lease: Lease;
  private readonly rooms = new Map<string, HeldRoom>();
  private readonly waiting = new Ring<HeldMember>();
  private changing = 0;
  private whenIdle: (() => void) | undefined;
  private isForgetting = false;
  private cancelRetry: (() => void) | undefined;
  private readonly failures = new RareLine();

  constructor(
    private readonly log: SureLog,
    private readonly time: Time,
    private readonly listener: Listener,
  ) {
    this.lease = new Lease(log, time, this, PROCESSES);
  }

  /** A connection of a member has begun. */
  connect(name: string, { id, json }: CheckedMember): HeldMember {
    let room = this.rooms.get(name);
    if (room === undefined) this.rooms.set(name, (room = new HeldRoom(name, this.log)));
    let member = room.members.get(id);
    if (member === undefined) {
      room.members.set(id, (member = new HeldMember(room, id, json)));
      this.count++;
    }
    member.connections++;
    member.grace?.cancel();
    member.grace = undefined;
    if (member.on === undefined) this.settleSoon(member);
    return member;
  }

  /** A connection of a member has ended. */
  disconnect(member: HeldMember, graceMs: number): void {
    if (--member.connections > 0) return;
    if (graceMs === 0) return this.settleSoon(member);
    const cancel = this.time.after(graceMs, () => {
      member.grace = undefined;
      this.settleSoon(member);
    });
    member.grace = { endsAt: this.time.now() + graceMs, cancel };
  }

  get needsLease(): boolean {
    return this.rooms.size > 0;
  }

  leaseLost(): void {
    // mutant: a process that was away too long does not come back
    for (const member of this.each()) this.settleSoon(member);
  }

  /** Waits for changes under way. */
  async settled(): Promise<void> {
    this.cancelRetry?.();
    if (this.changing === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.time.after(CLOSE_MS, resolve);
      this.whenIdle = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Leaves the members to the other processes, which remove them when their grace is over. */
  close(): Promise<void> {
    let endsAt: number | undefined;
    for (const { grace } of this.each()) {
      grace?.cancel();
      endsAt = Math.max(endsAt ?? 0, grace?.endsAt ?? 0);
    }
    const leftMs = endsAt === undefined ? undefined : Math.ceil(endsAt - this.time.now());
    return this.lease.close(leftMs);
  }

  private *each(): Iterable<HeldMember> {
    for (const { members } of this.rooms.values()) yield* members.values();
  }

  private settleSoon(member: HeldMember): void {
    // A change under way looks again before it ends.
    if (member.isBusy) return;
    member.isBusy = true;
    this.waiting.push(member);
    this.settleNext();
  }

  private settleNext(): void {
    while (this.changing < MAX_CHANGES) {
      const member = this.waiting.shift();
      if (member === undefined) break;
      this.changing++;
      void this.settle(member).finally(() => {
        this.changing--;
        this.settleNext();
      });
    }
    if (this.changing > 0) return;
    this.whenIdle?.();
    if (this.lease.former.size > 0) void this.forgetFormer();
  }

  private async settle(member: HeldMember): Promise<void> {
    try {
      await this.change(member);
    } catch (error) {
      member.isBusy = false;
      this.failed(error);
    }
  }

  /** Changes the roster until it has what it should. */
  private async change(member: HeldMember): Promise<void> {
    for (;;) {
      const address = member.isWanted ? await this.lease.hold() : undefined;
      // It may have left while the lease was renewed.
      if (member.isWanted !== (address !== undefined)) continue;
      if (member.on === address) break;
      if (address === undefined) await this.remove(member);
      else await this.add(member, address);
    }
    // From here on, nothing looks again.
    member.isBusy = false;
    if (member.on === undefined) await this.forget(member);
  }

  private async add(member: HeldMember, address: string): Promise<void> {
    const { room, id, json } = member;
    // mutant: nobody knows where a process that died had members
    await room.nameUnder(address);
    const data = json === undefined ? {} : { data: JSON.parse(json) as unknown };
    const value = { ...data, since: Date.now() };
    const holds = async (): Promise<boolean> => (await this.lease.hold()) === address;
    const hasJoined = await addTo(room.roster, id, value, address, member.on, holds);
    if (hasJoined === undefined) return;
    member.on = address;
    if (hasJoined) {
      const joined = memberOf(id, { ...value, on: [] });
      this.listener.changed({ kind: 'join', room: room.name, member: joined });
    }
  }

  private async remove(member: HeldMember): Promise<void> {
    const { room, id, on } = member;
    const left = on === undefined ? undefined : await removeFrom(room.roster, id, on);
    member.on = undefined;
    if (left !== undefined) {
      this.listener.changed({ kind: 'leave', room: room.name, member: left });
    }
  }

  private async forget({ room, id }: HeldMember): Promise<void> {
    room.members.delete(id);
    this.count--;
    if (room.members.size > 0) return;
    const isOver = await room.unname();
    if (isOver && room.members.size === 0) this.rooms.delete(room.name);
  }

  /** All members are where they should be, so nothing is needed of a former address. */
  private async forgetFormer(): Promise<void> {
    if (this.isForgetting) return;
    this.isForgetting = true;
    try {
      for (const address of this.lease.former) {
        await this.listener.clean(address);
        this.lease.former.delete(address);
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.isForgetting = false;
    }
  }

  private failed(error: unknown): void {
    if (error instanceof SseClosedError) return;
    this.cancelRetry ??= this.time.after(AGAIN_MS, () => {
      this.cancelRetry = undefined;
      for (const member of this.each()) this.settleSoon(member);
    });
    if (this.failures.again() === 0) return;
    logger.warn(`A member could not be added to a room, or removed: ${describe(error)}`);
  }
}
