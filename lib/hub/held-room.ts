import type { SureLog } from './sure-log.js';
import { heldBy } from './presence-rooms.js';
import { rosterOf } from '../wire/room-names.js';
import type { Roster, RosterValue } from './roster.js';

/** A room in which this process has members. */
export class HeldRoom {
  readonly members = new Map<string, HeldMember>();
  readonly roster: Roster;
  /** The address under which the log knows that the process has members here. */
  private namedBy: string | undefined;
  private naming: Promise<unknown> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly log: SureLog,
  ) {
    this.roster = log.room<RosterValue>(rosterOf(name));
  }

  /** Before a member is written, the log names the room, so that others find the member. */
  async nameUnder(address: string): Promise<void> {
    if (this.namedBy !== address) {
      this.namedBy = address;
      this.change(() => this.log.room(heldBy(address)).set(this.name, null));
    }
    const { naming } = this;
    try {
      await naming;
    } catch (error) {
      // The next call tries again.
      if (this.naming === naming) {
        this.namedBy = undefined;
        this.naming = Promise.resolve();
      }
      throw error;
    }
  }

  /** After the last member was removed. Resolves with whether nothing was begun since. */
  async unname(): Promise<boolean> {
    const { namedBy: address } = this;
    if (address !== undefined) {
      this.namedBy = undefined;
      this.change(() => this.log.room(heldBy(address)).delete(this.name));
    }
    const { naming } = this;
    await naming.catch(() => {});
    return this.naming === naming;
  }

  /** One change after the other. */
  private change(make: () => Promise<unknown>): void {
    this.naming = this.naming.then(make);
    // Whoever awaits it gets the failure.
    this.naming.catch(() => {});
  }
}

/** A member with connections to this process. There may be many thousands. */
export class HeldMember {
  connections = 0;
  /** The address in the roster; `undefined` while the roster does not have the member. */
  on: string | undefined;
  /** Whether the roster is being changed, or is about to. */
  isBusy = false;
  /** Set after the last connection has ended, until the member leaves. */
  grace: { readonly endsAt: number; readonly cancel: () => void } | undefined;

  constructor(
    readonly room: HeldRoom,
    readonly id: string,
    /** What others see of it, as JSON. */
    readonly json: string | undefined,
  ) {}

  /** Whether the roster should have it. */
  get isWanted(): boolean {
    return this.connections > 0 || this.grace !== undefined;
  }
}
