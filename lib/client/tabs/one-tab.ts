import type { Message } from './messages.js';
import type { Surroundings } from './surroundings.js';

/** For a browser without locks or channels: a tab that hears only itself, and always leads. */
export function oneTab(connect: Surroundings['connect']): Surroundings {
  let hear: ((message: Message) => void) | undefined;
  return {
    open: (listener) => (hear = listener),
    post: (message) => queueMicrotask(() => hear?.(message)),
    close: () => (hear = undefined),
    lock: (_isStolen, granted) => queueMicrotask(granted),
    unlock: () => {},
    others: () => Promise.resolve(0),
    live: () => Promise.resolve(),
    watch: () => {},
    later: (ms, call) => void setTimeout(call, ms),
    term: () => 1,
    connect,
  };
}
