// All that there is in a run: Redis, app processes, the wires between them, publishers and clients.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.mjs';
import { startKeeper } from './keeper.mjs';
import { Oracle } from './oracle.mjs';
import { freePort } from './ports.mjs';
import { AppProcess } from './processes.mjs';
import { Publishing } from './publisher.mjs';
import { RedisControl } from './redis-control.mjs';
import { TcpProxy } from './tcp-proxy.mjs';

const PROCESSES = 3;
/** All rooms in which much happens. */
const ROOMS = Array.from({ length: 200 }, (_none, n) => `r${n}`);
/**
 * How many clients share the rooms in which little happens. They stay with one process, which then
 * has all of these rooms.
 */
const WIDE_CLIENTS = 4;
/** How many of those rooms have events: the others only cost. */
const WIDE_ROOMS_USED = 500;
/** Several such rooms share a last event. */
const WIDE_PROBE_ROOMS = 20;

export class World {
  rooms = ROOMS;
  oracle = new Oracle();
  apps = [];
  /** From each process to Redis, and from clients to each process. */
  redisLinks = [];
  clientLinks = [];
  clients = [];

  constructor({ options, random, log }) {
    Object.assign(this, { options, random, log });
    this.keeper = startKeeper((this.folder = mkdtempSync(join(tmpdir(), 'chaos-'))));
  }

  async start() {
    const { log, isFromSources } = this.options;
    const keep = (child) => this.keeper.keep(child);
    if (log === 'redis') {
      this.redis = new RedisControl({ folder: this.folder, keep, freePort });
      await this.redis.start();
    }
    for (let n = 0; n < (log === 'redis' ? PROCESSES : 1); n++) {
      const port = await freePort();
      let redisUrl;
      if (this.redis !== undefined) {
        const link = await new TcpProxy(() => this.redis.port).listen();
        this.redisLinks.push(link);
        redisUrl = `redis://127.0.0.1:${link.port}`;
      }
      this.clientLinks.push(await new TcpProxy(() => port).listen());
      this.apps.push(new AppProcess({ name: `app ${n}`, port, redisUrl, isFromSources, keep }));
    }
    await Promise.all(this.apps.map((app) => app.start()));
    this.#addClients();
    for (const client of this.clients) client.start();
    this.publishing = new Publishing({
      oracle: this.oracle,
      random: this.random.fork('publishing'),
      processes: this.apps,
      rooms: ROOMS,
      wideRooms: this.#usedWideRooms(),
      log: this.log,
      rate: this.options.rate,
    });
    this.publishing.start();
    this.timer = setInterval(() => this.apps.forEach((app) => app.sample()), 1_000);
  }

  cutRedisLinks() {
    for (const link of this.redisLinks) link.cut();
  }

  /**
   * After the last fault: everybody has to get, or be told of, all there is. Answers what did not
   * come about.
   */
  async calmDown() {
    const deadline = Date.now() + this.options.quietSeconds * 1000;
    for (const link of [...this.redisLinks, ...this.clientLinks]) link.heal();
    for (const app of this.apps) app.signal('SIGCONT');
    await this.publishing.stop();
    await Promise.all(this.apps.map((app) => app.start()));
    for (const client of this.clients) client.calm();

    const wide = this.#usedWideRooms();
    const groups = ROOMS.map((room) => [room]);
    while (wide.length > 0) groups.push(wide.splice(0, WIDE_PROBE_ROOMS));
    const { accepted, refused } = await this.publishing.probe(groups, deadline);
    let known = 0;
    this.log?.('the last event of each room is published');
    for (;;) {
      const late = accepted.flatMap(({ uid, rooms }) =>
        this.oracle
          .waiting(uid)
          .map(
            (name) => `${name} neither gets nor is told event ${String(uid)} of ${rooms.join()}`,
          ),
      );
      if (late.length === 0 || Date.now() > deadline) {
        return [
          ...refused.map(
            ({ rooms, why }) => `nobody can publish to ${rooms.join()} any more: ${String(why)}`,
          ),
          ...late,
        ];
      }
      if (late.length !== known)
        this.log?.(`${(known = late.length)} deliveries are still due: ${late[0]}`);
      await sleep(100);
    }
  }

  async stop() {
    clearInterval(this.timer);
    await Promise.all(this.clients.map((client) => client.stop()));
    await Promise.all(this.apps.map((app) => app.kill()));
    await this.redis?.kill();
    await Promise.all([...this.redisLinks, ...this.clientLinks].map((link) => link.close()));
    this.keeper.end();
  }

  #addClients() {
    const { clients, wideRooms } = this.options;
    for (let n = 0; n < clients; n++) {
      const random = this.random.fork(`client ${n}`);
      const rooms = random.sample(
        ROOMS,
        random.weighted([
          [2, 1],
          [3, random.int(2, 10)],
          [3, random.int(10, 50)],
        ]),
      );
      this.#addClient({
        name: `client ${n}`,
        rooms,
        query: `rooms=${rooms.join(',')}`,
        random,
        ...this.#habits(n),
      });
    }
    const each = Math.floor(wideRooms / WIDE_CLIENTS);
    for (let n = 0; n < (each > 0 ? WIDE_CLIENTS : 0); n++) {
      const first = n * each;
      this.#addClient({
        name: `wide ${n}`,
        rooms: Array.from({ length: each }, (_none, k) => `w${first + k}`),
        query: `wide=${first}-${first + each - 1}`,
        random: this.random.fork(`wide ${n}`),
        habits: n === 0 ? { dropBytes: 500_000, awayMs: 2_000 } : {},
        ports: () => [this.apps[0].port],
      });
    }
  }

  #addClient(options) {
    this.clients.push(new Client({ ...options, oracle: this.oracle }));
  }

  /** What a client is like, and on what way it comes: every kind is there as often. */
  #habits(n) {
    const direct = () => this.apps.map(({ port }) => port);
    const proxied = () => this.clientLinks.map(({ port }) => port);
    return [
      { habits: { dropBytes: 20_000, awayMs: 1_000 }, ports: direct },
      { habits: { dropBytes: 200_000, awayMs: 3_000 }, ports: proxied },
      { habits: { pauseMs: 8_000 }, ports: direct },
      { habits: {}, ports: proxied },
      { habits: { dropBytes: 1_000, awayMs: 300 }, ports: direct },
      { habits: { dropBytes: 500_000, pauseMs: 3_000, awayMs: 8_000 }, ports: proxied },
    ][n % 6];
  }

  #usedWideRooms() {
    const { wideRooms } = this.options;
    const count = Math.min(WIDE_ROOMS_USED, wideRooms);
    return Array.from({ length: count }, (_none, n) => `w${Math.floor((n * wideRooms) / count)}`);
  }
}
