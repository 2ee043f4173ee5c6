import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { describe } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import { HostedSession } from './hosted-session.js';
import type { McpServerLike, McpSession } from './mcp.options.js';
import { Owners, RENEWAL_MS, type SessionRecord } from './owners.js';
import { SessionRooms } from './session-rooms.js';

interface HostsOptions {
  readonly createServer: (session: McpSession) => McpServerLike | Promise<McpServerLike>;
  readonly idleMs: number;
  readonly prefix: string;
}

interface Use {
  /** When a client last needed the session in this process. */
  at: number;
  /** When this process last extended its record. */
  kept: number;
}

/** The record of a session in use is extended this often, so that it never ends meanwhile. */
const LOOKS_PER_IDLE_TIME = 4;

const logger = new Logger('Sse');

/** The sessions whose servers are in this process, and the way to those of other processes. */
export class SessionHosts {
  readonly owners: Owners;
  private readonly hosted = new Map<string, HostedSession>();
  private readonly taking = new Map<string, Promise<void>>();
  private readonly uses = new Map<string, Use>();
  private readonly failures = new RareLine();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly broadcaster: Broadcaster,
    private readonly options: HostsOptions,
    private readonly host: {
      /** Whether a connection of the session is in this process. */
      isRead(session: string): boolean;
      /** The server has ended the session. */
      ended(session: string): void;
    },
  ) {
    this.owners = new Owners(broadcaster, options.prefix, options.idleMs);
  }

  async start(): Promise<void> {
    await this.owners.renew();
    const { idleMs } = this.options;
    this.timer = setInterval(
      () => {
        this.tend().catch((error: unknown) => {
          if (this.failures.again() > 0) logger.warn(`MCP sessions wait: ${describe(error)}`);
        });
      },
      Math.min(RENEWAL_MS, idleMs / LOOKS_PER_IDLE_TIME),
    );
    this.timer.unref();
  }

  roomsOf(session: string): SessionRooms {
    return new SessionRooms(this.broadcaster, this.options.prefix, session);
  }

  /** The sessions that this process has the servers of. */
  ids(): string[] {
    return [...this.hosted.keys()];
  }

  get(session: string): HostedSession | undefined {
    return this.hosted.get(session);
  }

  /** A session that waits for its first request, `initialize`. */
  async begin(user: string | undefined): Promise<string> {
    const session = this.make({ id: randomUUID(), user });
    await session.begin();
    return session.facts.id;
  }

  /**
   * The record of a session whose process lives; `undefined` if there is no such session. Takes the
   * session over if its process has ended.
   */
  async find(session: string): Promise<SessionRecord | undefined> {
    for (;;) {
      await this.taking.get(session);
      const own = this.hosted.get(session)?.record;
      if (own !== undefined) return own;
      const found = await this.owners.find(session);
      if (found === undefined || (await this.owners.isAlive(found.owner))) return found;
      const { position, ...record } = found;
      const taking = this.take(session, record, position);
      this.taking.set(session, taking);
      await taking.finally(() => this.taking.delete(session));
    }
  }

  use(session: string): void {
    const now = performance.now();
    const use = this.uses.get(session);
    if (use === undefined) this.uses.set(session, { at: now, kept: now });
    else use.at = now;
  }

  /** Lets go of a session that has ended, or has moved to another process. */
  async drop(session: string): Promise<void> {
    const hosted = this.hosted.get(session);
    this.hosted.delete(session);
    this.uses.delete(session);
    await hosted?.close();
  }

  /** Leaves the sessions to other processes. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.allSettled(this.ids().map((session) => this.drop(session)));
    await this.owners.leave();
  }

  private make(facts: McpSession): HostedSession {
    const session = new HostedSession(
      {
        broadcaster: this.broadcaster,
        address: this.owners.address,
        createServer: this.options.createServer,
        isAlive: (address) => this.owners.isAlive(address),
        begun: async (id, record) => void (await this.owners.keep(id, record)),
        ended: ({ facts: { id } }) => this.host.ended(id),
      },
      facts,
      this.roomsOf(facts.id),
    );
    this.hosted.set(facts.id, session);
    return session;
  }

  private async take(id: string, record: SessionRecord, position: string): Promise<void> {
    const cursor = await this.broadcaster.position();
    const own = { ...record, owner: this.owners.address };
    if (this.hosted.has(id) || !(await this.owners.keep(id, own, position))) return;
    const session = this.make({ id, user: record.user });
    try {
      await session.replace(own, cursor);
    } catch (error) {
      await this.drop(id);
      throw error;
    }
  }

  /** Every few seconds. */
  private async tend(): Promise<void> {
    if (await this.owners.renew()) await this.dropMoved();
    const now = performance.now();
    for (const [session, use] of this.uses) {
      if (this.host.isRead(session)) {
        use.at = now;
        // Its client waits for a process that may have ended.
        await this.find(session);
      }
      await this.keep(session, use, now);
    }
  }

  private async keep(session: string, use: Use, now: number): Promise<void> {
    const { idleMs } = this.options;
    if (use.at > use.kept && now - use.kept > idleMs / LOOKS_PER_IDLE_TIME) {
      const found = await this.owners.find(session);
      if (found === undefined) return this.host.ended(session);
      await this.owners.keep(session, found, found.position);
      use.kept = now;
    } else if (now - use.at > idleMs) {
      if (!this.hosted.has(session)) this.uses.delete(session);
      else if ((await this.owners.find(session)) === undefined) this.host.ended(session);
    }
  }

  /** Others may have taken sessions over while this process was cut off. */
  private async dropMoved(): Promise<void> {
    for (const session of this.ids()) {
      const found = await this.owners.find(session);
      if (found?.owner !== this.owners.address) await this.drop(session);
    }
  }
}
