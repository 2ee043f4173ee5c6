import { Logger } from '@nestjs/common';
import { describe, SseClosedError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import { RareLine } from '../ground/warnings.js';
import type { Lease } from './lease.js';
import type { SureLog } from './sure-log.js';
import type { PresenceChange } from './presence.options.js';
import { heldBy, knownKey, processesIn, PROCESSES } from './presence-rooms.js';
import { rosterOf } from '../wire/room-names.js';
import { removeFrom, type RosterValue } from './roster.js';

/**
 * All processes remove what a dead one held. With a random delay, the first has mostly done it
 * before the others begin.
 */
const MAX_DELAY_MS = 1_000;
/** A failure that the log does not repeat by itself, such as a full log, is tried again. */
const AGAIN_MS = 30_000;
/** At most this many entries of a room are changed at the same time. */
const MAX_CHANGES = 16;

const logger = new Logger('Sse');

/** The removal of what an address held. */
interface Removal {
  /** Rooms to look into that the process may not have named. */
  readonly rooms: Set<string>;
  /** Cancels its timer. */
  cancel: () => void;
}

/** Removes the members of processes that have died. */
export class RosterCleaner {
  private readonly removals = new Map<string, Removal>();
  private readonly failures = new RareLine();

  constructor(
    private readonly log: SureLog,
    private readonly time: Time,
    private readonly lease: Lease,
    private readonly changed: (change: PresenceChange) => void,
  ) {}

  close(): void {
    for (const { cancel } of this.removals.values()) cancel();
  }

  /** Finds processes that have died while nobody was there to see it. */
  sweep(): void {
    this.findDead().catch((error: unknown) => this.logFailure(error));
  }

  private async findDead(): Promise<void> {
    const { entries } = await this.log.room(PROCESSES).entries();
    const { live, known } = processesIn(entries);
    for (const address of known) if (!live.has(address)) this.cleanLater(address);
  }

  /** Removes everything of an address whose lease has ended, soon. */
  cleanLater(address: string, room?: string): void {
    // This process writes its own again under another address, and then calls `clean()`.
    if (this.lease.isOwn(address)) return;
    let removal = this.removals.get(address);
    if (removal === undefined) {
      this.removals.set(address, (removal = { rooms: new Set(), cancel: () => {} }));
      this.cleanAfter(this.time.random() * MAX_DELAY_MS, address, removal);
    }
    if (room !== undefined) removal.rooms.add(room);
  }

  private cleanAfter(ms: number, address: string, removal: Removal): void {
    removal.cancel = this.time.after(ms, () => {
      void this.clean(address, removal.rooms).then(
        () => this.removals.delete(address),
        (error: unknown) => {
          if (!(error instanceof SseClosedError)) this.cleanAfter(AGAIN_MS, address, removal);
          this.logFailure(error);
        },
      );
    });
  }

  private logFailure(error: unknown): void {
    if (error instanceof SseClosedError || this.failures.again() === 0) return;
    logger.warn(`Members of a process that has ended are still listed: ${describe(error)}`);
  }

  async clean(address: string, rooms: Iterable<string> = []): Promise<void> {
    const held = this.log.room(heldBy(address));
    for (const room of rooms) await this.cleanRoom(room, address);
    for (const { key } of (await held.entries()).entries) {
      await this.cleanRoom(key, address);
      await held.delete(key);
    }
    await this.log.room(PROCESSES).delete(knownKey(address));
  }

  private async cleanRoom(room: string, address: string): Promise<void> {
    const roster = this.log.room<RosterValue>(rosterOf(room));
    const { entries } = await roster.entries();
    const ids = entries.filter(({ value }) => value.on.includes(address)).map(({ key }) => key);
    const rest = ids.values();
    const removeOn = async (): Promise<void> => {
      for (const id of rest) {
        const member = await removeFrom(roster, id, address);
        if (member !== undefined) this.changed({ kind: 'leave', room, member });
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_CHANGES, ids.length) }, removeOn));
  }
}
