// A reader as a browser is one: it keeps the id of the last complete block and comes back with it,
// to any process.
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamRequest } from './http.mjs';
import { SseParser } from './sse-parser.mjs';

/** A keep-alive is due every second. */
const IDLE_MS = 6_000;

export class Client {
  connections = 0;
  refusals = 0;
  gapReasons = [];
  errors = 0;
  #lastId;
  #request;
  /** Aborted: from now on it stays. */
  #calm = new AbortController();
  #isOver = false;
  #pauseTimer;

  /**
   * `ports()`: where it may connect to. Habits: `dropBytes`, after about how many bytes it goes
   * away; `awayMs`, for how long at most; `pauseMs`, for how long at most it reads nothing, from
   * time to time.
   */
  constructor({ name, rooms, query, habits, ports, random, oracle }) {
    Object.assign(this, { name, query, habits, ports, random, oracle });
    oracle.client(name, rooms);
  }

  get returns() {
    return Math.max(0, this.connections - 1);
  }

  start() {
    this.over = this.#run();
  }

  /** From now on it stays, and reads what comes. */
  calm() {
    this.#calm.abort();
    this.#request?.socket.resume();
    if (this.#request) this.#request.maxBytes = Infinity;
  }

  async stop() {
    this.#isOver = true;
    this.#request?.socket.destroy();
    await this.over;
  }

  async #run() {
    while (!this.#isOver) {
      const status = await this.#read();
      if (this.#isOver) return;
      if (status !== 200) {
        this.refusals++;
        await sleep(this.random.int(50, 400));
      } else {
        await this.#stayAway();
      }
    }
  }

  async #stayAway() {
    const { signal } = this.#calm;
    const { awayMs = 200 } = this.habits;
    if (signal.aborted) return sleep(50);
    // Sometimes for long.
    const ms = this.random.int(0, this.random.chance(0.1) ? 4 * awayMs : awayMs);
    return sleep(ms, undefined, { signal }).catch(() => {});
  }

  /** One connection; resolves with its status when it is over. */
  #read() {
    const { dropBytes, pauseMs } = this.habits;
    const drops = !this.#calm.signal.aborted && dropBytes !== undefined;
    const parser = new SseParser((block) => this.#take(block));
    return new Promise((resolve) => {
      const port = this.random.pick(this.ports());
      this.#request = new StreamRequest({
        port,
        path: `/events?${this.query}`,
        headers: {
          Accept: 'text/event-stream',
          ...(this.#lastId !== undefined && { 'Last-Event-ID': this.#lastId }),
        },
        maxBytes: drops ? this.#drawBytes(dropBytes) : Infinity,
        idleMs: IDLE_MS,
        onText: (text) => parser.push(text),
        onClose: (status) => {
          clearTimeout(this.#pauseTimer);
          this.#request = undefined;
          if (status === 200) this.connections++;
          this.oracle.returned(this.name, { port, lastEventId: this.#lastId, at: Date.now() });
          resolve(status);
        },
      });
      if (pauseMs !== undefined) this.#pauseSometimes(this.#request.socket);
    });
  }

  /**
   * From far below to far above: a client that never gets past a large event is only told of gaps.
   */
  #drawBytes(about) {
    return Math.ceil(about * 10 ** (3 * this.random.next() - 1.5));
  }

  #pauseSometimes(socket) {
    this.#pauseTimer = setTimeout(
      () => {
        if (this.#calm.signal.aborted || socket.destroyed) return;
        socket.pause();
        // What does not read on purpose is not idle.
        socket.setTimeout(0);
        this.#pauseTimer = setTimeout(
          () => {
            socket.resume().setTimeout(IDLE_MS);
            this.#pauseSometimes(socket);
          },
          this.random.int(100, this.habits.pauseMs),
        );
      },
      this.random.int(500, 4_000),
    );
  }

  #take({ id, type, data, isMalformed }) {
    const at = Date.now();
    if (id !== undefined) {
      this.#lastId = id;
      this.oracle.cursor(this.name, at, id);
    }
    if (type === 'sse-gap') {
      const { rooms, reason } = JSON.parse(data);
      this.gapReasons.push(reason);
      this.oracle.gap(this.name, { rooms, reason, at });
    } else if (type?.startsWith('sse-')) {
      this.errors++;
    } else if (data !== undefined || isMalformed) {
      this.oracle.received(this.name, { ...readData(data), id, at });
    }
  }
}

/** What the app made of an event; of anything else, an event that nobody has published. */
function readData(text) {
  try {
    const { uid, pad } = JSON.parse(text);
    return { uid, size: pad.length, isIntact: pad === String(uid % 10).repeat(pad.length) };
  } catch {
    return { uid: -1, size: 0, isIntact: false };
  }
}
