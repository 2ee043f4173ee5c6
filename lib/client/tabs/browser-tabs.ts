import type { Message } from './messages.js';
import type { Surroundings } from './surroundings.js';

/** The tabs of an origin, which hear each other by a channel and wait for a lock. */
export function browserTabs(
  key: string,
  id: string,
  connect: Surroundings['connect'],
): Surroundings {
  const { locks } = navigator;
  let mouth: BroadcastChannel | undefined;
  let ear: BroadcastChannel | undefined;
  let unlock = (): void => {};
  let die = (): void => {};
  let life: Promise<void> | undefined;

  const nameOf = (tab: string): string => `${key}:${tab}`;
  return {
    open: (hear) => {
      // A channel does not hear itself. Two of them put what this tab posts in order with the rest.
      mouth = new BroadcastChannel(key);
      ear = new BroadcastChannel(key);
      ear.addEventListener('message', ({ data }) => hear(data as Message));
    },
    post: (message) => mouth?.postMessage(message),
    close: (isFrozen) => {
      if (!isFrozen) {
        die();
        life = undefined;
      }
      mouth?.close();
      ear?.close();
      mouth = ear = undefined;
    },
    lock: (isStolen, granted, lost) => {
      unlock();
      const abortion = new AbortController();
      let isOver = false;
      let isHeld = false;
      let free = (): void => {};
      unlock = () => {
        isOver = true;
        abortion.abort();
        free();
      };
      const hold = (): Promise<void> | undefined => {
        if (isOver) return undefined;
        isHeld = true;
        granted();
        return new Promise((resolve) => {
          free = resolve;
          if (isOver) resolve();
        });
      };
      // A request that steals takes no signal.
      const options = isStolen ? { steal: true } : { signal: abortion.signal };
      locks.request(key, options, hold).catch(() => {
        if (isHeld && !isOver) lost();
      });
    },
    unlock: () => unlock(),
    others: async () => {
      const { pending = [] } = await locks.query();
      return pending.filter(({ name }) => name === key).length;
    },
    live: () =>
      (life ??= new Promise((resolve) => {
        void locks.request(nameOf(id), () => {
          resolve();
          return new Promise<void>((end) => (die = end));
        });
      })),
    watch: (tab, onGone) => void locks.request(nameOf(tab), { mode: 'shared' }, onGone),
    later: (ms, call) => void setTimeout(call, ms),
    // The tabs have one clock. The fraction keeps two claims of one millisecond apart.
    term: () => Date.now() + Math.random(),
    connect,
  };
}
