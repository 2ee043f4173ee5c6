// Publishes all the time, through any process, and tells the oracle only what it was answered.
import { setTimeout as sleep } from 'node:timers/promises';
import { post } from './http.mjs';

const TIMEOUT_MS = 8_000;
/** A key is good for 300 s; what was not accepted long before is given up. */
const MAX_ATTEMPTS = 20;
const MAX_IN_FLIGHT = 64;
/**
 * Bytes. The longest is near the largest event that an app takes by default. Most are short: a
 * replay has a limit of bytes, and a gap for want of room hides what else is wrong.
 */
const SIZES = [
  [60, [1, 200]],
  [33, [200, 2_000]],
  [6, [2_000, 20_000]],
  [0.8, [20_000, 200_000]],
  [0.2, [200_000, 1_000_000]],
];
const ROOM_COUNTS = [
  [60, [1, 1]],
  [25, [2, 2]],
  [12, [3, 6]],
  [3, [7, 20]],
];

export class Publishing {
  #uid = 0;
  #inFlight = new Set();
  #isOver = false;
  failures = 0;
  #lastFailure = new Map();

  constructor({ oracle, random, processes, rooms, wideRooms, log, rate }) {
    Object.assign(this, { oracle, random, processes, rooms, wideRooms, log, rate });
  }

  start(publishers = 3) {
    this.over = Promise.all(
      Array.from({ length: publishers }, (_none, n) =>
        this.#run(this.random.fork(`publisher ${n}`), publishers),
      ),
    );
  }

  /** Resolves when everything that was begun is acknowledged or given up. */
  async stop() {
    this.#isOver = true;
    await this.over;
    await Promise.all(this.#inFlight);
  }

  /** The last event of each group of rooms, tried until it is accepted or `deadline` has come. */
  async probe(groups, deadline) {
    const [accepted, refused, left] = [[], [], [...groups]];
    const work = async () => {
      for (let rooms = left.pop(); rooms !== undefined; rooms = left.pop()) {
        const event = this.#event({ rooms, size: 5, type: 'probe', kind: 'key' });
        const isAccepted = await this.#insist(event, deadline);
        if (isAccepted) accepted.push(event);
        else refused.push({ ...event, why: this.#lastFailure.get(event.uid) });
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    return { accepted, refused };
  }

  async #insist(event, deadline) {
    while (!(await this.#attempt(event, this.random.pick(this.processes).port))) {
      if (Date.now() > deadline) return false;
      await sleep(200);
    }
    return true;
  }

  async #run(random, publishers) {
    while (!this.#isOver) {
      await sleep(random.next() * 2 * ((publishers * 1_000) / this.rate));
      if (this.#inFlight.size >= MAX_IN_FLIGHT) continue;
      const going = this.#publish(random).finally(() => this.#inFlight.delete(going));
      this.#inFlight.add(going);
    }
  }

  async #publish(random) {
    const event = this.#event({
      rooms: this.#pickRooms(random),
      size: random.int(...random.weighted(SIZES)),
      type: random.pick(['created', 'changed', 'removed']),
      kind: random.weighted([
        [70, 'plain'],
        [25, 'key'],
        [5, 'ephemeral'],
      ]),
    });
    const attempts = event.key === undefined ? 1 : MAX_ATTEMPTS;
    for (let n = 0; n < attempts; n++) {
      if (n > 0) await sleep(random.int(50, 500));
      if (await this.#attempt(event, random.pick(this.processes).port)) return;
    }
  }

  #pickRooms(random) {
    const count = random.int(...random.weighted(ROOM_COUNTS));
    const rooms = random.sample(this.rooms, count);
    if (this.wideRooms.length > 0 && random.chance(0.1)) rooms[0] = random.pick(this.wideRooms);
    return rooms;
  }

  #event({ rooms, size, type, kind }) {
    const uid = this.#uid++;
    const event = {
      uid,
      rooms,
      size,
      type,
      ...(kind === 'key' && { key: `event ${uid}` }),
      ...(kind === 'ephemeral' && { ephemeral: true }),
    };
    this.oracle.publishing({ ...event, at: Date.now() });
    return event;
  }

  async #attempt(event, port) {
    try {
      const { status, body } = await post(port, '/publish', event, TIMEOUT_MS);
      if (status === 201) {
        this.oracle.acknowledged(event.uid, JSON.parse(body).cursor, Date.now());
        return true;
      }
      this.#fail(event, `${status} ${body.slice(0, 400)}`);
    } catch (error) {
      this.#fail(event, error.message);
    }
    return false;
  }

  #fail({ uid, type }, why) {
    this.failures++;
    if (type === 'probe') this.#lastFailure.set(uid, why);
    this.log?.(`publish ${uid}: ${why}`);
  }
}
