import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { randomUUID } from 'node:crypto';
import { SseConflictError } from '../ground/errors.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import type { StateRoom } from '../hub/state-room.js';

/** What all processes know of a session. */
export interface SessionRecord {
  /** The process that has its server. */
  readonly owner: string;
  /** The request that began it, for a server that replaces the first one. */
  readonly initialize: JSONRPCMessage;
  /** The version of the protocol that was agreed upon. */
  readonly version: string;
  readonly user?: string | undefined;
}

export interface FoundSession extends SessionRecord {
  /** For a change that must not overwrite that of another process. */
  readonly position: string;
}

/** After this time without a sign, a process is taken for dead. */
const LEASE_MS = 15_000;
export const RENEWAL_MS = LEASE_MS / 3;

/** Which process has the server of which session, and which processes live. */
export class Owners {
  /** Names this process, in this run. */
  readonly address: string = randomUUID();
  private readonly processes: StateRoom<Record<string, true>>;
  private readonly sessions: StateRoom<Record<string, SessionRecord>>;
  private renewed = 0;

  constructor(
    broadcaster: Broadcaster,
    prefix: string,
    private readonly idleMs: number,
  ) {
    this.processes = broadcaster.state(`${prefix}:processes`);
    this.sessions = broadcaster.state(`${prefix}:sessions`);
  }

  /** Resolves with whether the others may have taken this process for dead in between. */
  async renew(): Promise<boolean> {
    const begun = performance.now();
    await this.processes.set(this.address, true, { ttlMs: LEASE_MS });
    const wasDead = this.renewed > 0 && begun - this.renewed > LEASE_MS;
    this.renewed = begun;
    return wasDead;
  }

  async leave(): Promise<void> {
    await this.processes.delete(this.address);
  }

  async isAlive(address: string): Promise<boolean> {
    return address === this.address || (await this.processes.get(address)) !== undefined;
  }

  async find(session: string): Promise<FoundSession | undefined> {
    // No key of a state room is longer, and what the client sends is any text.
    if (!/^[\w-]{1,64}$/.test(session)) return undefined;
    const entry = await this.sessions.get(session);
    return entry === undefined ? undefined : { ...entry.value, position: entry.position };
  }

  /** Resolves with `false` if another process has changed the record since `position`. */
  async keep(session: string, record: SessionRecord, position?: string): Promise<boolean> {
    const { owner, initialize, version, user } = record;
    const kept = { owner, initialize, version, ...(user !== undefined && { user }) };
    const condition = position === undefined ? {} : { ifPosition: position };
    try {
      await this.sessions.set(session, kept, { ttlMs: this.idleMs, ...condition });
      return true;
    } catch (error) {
      if (error instanceof SseConflictError) return false;
      throw error;
    }
  }

  async forget(session: string): Promise<void> {
    await this.sessions.delete(session);
  }
}
