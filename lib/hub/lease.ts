import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { describe, SseClosedError, SseConflictError } from '../ground/errors.js';
import type { Time } from '../ground/time.js';
import { RareLine } from '../ground/warnings.js';
import type { SureLog } from './sure-log.js';
import type { LoggedEvent } from '../log/event.js';
import { SSE_DELETE } from '../wire/protocol.js';
import { addressIn, knownIn, knownKey, liveKey } from './presence-rooms.js';
import type { StateRoom } from './state-room.js';

/** A process that does not renew its lease for this long has died. */
export const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
/**
 * Nothing is written under a lease that has less time left. A call to the log takes at most 2 s, so
 * a process changes no roster once others believe that it has died.
 */
const MARGIN_MS = 3_000;
const MAX_DEAD = 1_000;

const logger = new Logger('Sse');

type Processes = StateRoom<Record<string, null>>;

/** What a lease asks and tells its owner. */
interface Owner {
  /** Whether the process has something to hold, such as members. */
  readonly needsLease: boolean;
  /** The lease has ended. What was written under its address has to be written again. */
  leaseLost(): void;
}

/**
 * The lease of this process, under a random address. It is taken when it is first needed, renewed
 * while it is, and given back after that. An address whose lease has ended is never used again:
 * other processes may still be removing what was written under it.
 */
export class Lease {
  private address: string | undefined;
  /** Addresses that this process had, until nothing is left in the log that was written by them. */
  readonly former = new Set<string>();
  /** Addresses of all processes whose leases have ended. The oldest are forgotten. */
  private readonly dead = new Set<string>();
  private position = '';
  private until = -Infinity;
  private renewing: Promise<void> | undefined;
  private cancelTick: (() => void) | undefined;
  private isClosed = false;
  private readonly processes: Processes;
  private readonly failures = new RareLine();

  constructor(
    private readonly log: SureLog,
    private readonly time: Time,
    private readonly owner: Owner,
    /** The state room with the leases of all processes. */
    private readonly room: string,
  ) {
    this.processes = log.room(room);
  }

  /** Resolves with the address, under a lease that lasts for some seconds yet. */
  async hold(): Promise<string> {
    for (;;) {
      const { address } = this;
      if (address !== undefined && this.time.now() <= this.until - MARGIN_MS) return address;
      await this.renew();
    }
  }

  isOwn(address: string): boolean {
    return address === this.address || this.former.has(address);
  }

  /**
   * Takes a change of the leases of all processes. Returns the address to look at, if a lease has
   * ended, maybe this one, or if a process that stood still has written under one that had.
   */
  changed({ message: { type, data } }: LoggedEvent): string | undefined {
    const { key } = (data ?? {}) as { key?: unknown };
    if (type !== SSE_DELETE) {
      const known = knownIn(key);
      return known !== undefined && this.hasEnded(known) ? known : undefined;
    }
    const address = addressIn(key);
    if (address !== undefined) this.ended(address);
    return address;
  }

  private ended(address: string): void {
    this.dead.add(address);
    if (this.dead.size > MAX_DEAD) this.dead.delete([...this.dead][0] ?? '');
    if (address === this.address) this.replace();
  }

  /** Whether a lease has ended, as far as this process has heard. It may still be written under. */
  hasEnded(address: string): boolean {
    return this.dead.has(address);
  }

  /** Takes another address: the log may have lost what was written under this one. */
  replace(): void {
    const { address } = this;
    if (address === undefined) return;
    this.former.add(address);
    this.address = undefined;
    this.owner.leaseLost();
  }

  /**
   * Ends the lease after this time: the process has members until then. `undefined`: now, as it has
   * none. If the log fails, the lease runs out by itself.
   */
  async close(ms: number | undefined): Promise<void> {
    this.isClosed = true;
    this.cancelTick?.();
    const { address, position } = this;
    if (address === undefined) return;
    const room = this.log.roomOnce<null>(this.room);
    try {
      if (ms !== undefined) {
        await room.set(liveKey(address), null, { ifPosition: position, ttlMs: Math.max(1, ms) });
      } else await this.giveBack(address, room);
    } catch {
      // Nothing is left that could be done.
    }
  }

  private renew(): Promise<void> {
    this.renewing ??= (this.address === undefined ? this.take() : this.renewOnce(this.address))
      // The next call may renew again.
      .finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async take(): Promise<void> {
    const address = randomBytes(6).toString('base64url');
    const begunAt = this.time.now();
    const lease = { ifAbsent: true, ttlMs: LEASE_MS };
    const position = await this.processes.set(liveKey(address), null, lease);
    await this.processes.set(knownKey(address), null);
    this.address = address;
    this.position = position;
    this.until = begunAt + LEASE_MS;
    this.tickLater();
  }

  private async renewOnce(address: string): Promise<void> {
    const begunAt = this.time.now();
    const lease = { ifPosition: this.position, ttlMs: LEASE_MS };
    try {
      const position = await this.processes.set(liveKey(address), null, lease);
      if (this.address !== address) return;
      this.position = position;
      this.until = begunAt + LEASE_MS;
    } catch (error) {
      if (!(error instanceof SseConflictError)) throw error;
      this.ended(address);
    }
  }

  private tickLater(): void {
    this.cancelTick?.();
    if (this.isClosed) return;
    this.cancelTick = this.time.after(RENEW_MS, () => {
      this.cancelTick = undefined;
      void this.tick().catch((error: unknown) => this.logFailure(error));
    });
  }

  private async tick(): Promise<void> {
    if (this.address === undefined) return;
    if (!this.owner.needsLease) return this.giveBack(this.address, this.processes);
    try {
      await this.renew();
    } finally {
      this.tickLater();
    }
  }

  private async giveBack(address: string, processes: Processes): Promise<void> {
    this.address = undefined;
    await processes.delete(knownKey(address));
    await processes.delete(liveKey(address));
  }

  private logFailure(error: unknown): void {
    if (error instanceof SseClosedError || this.failures.again() === 0) return;
    logger.warn(`The lease of this process was not renewed: ${describe(error)}`);
  }
}
