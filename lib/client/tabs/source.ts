import { jsonOrText } from '../../wire/json-or-text.js';
import type { ConnectOptions } from '../connect.options.js';
import { EventStream } from '../event-stream.js';
import { hasRooms } from './rooms-of.js';
import type { Surroundings } from './surroundings.js';

/** Opens the leader's stream. Its events stay text: each tab parses them by its own options. */
export function sourceOf(url: string | URL, options: ConnectOptions): Surroundings['connect'] {
  return (lastEventId, rooms, observer) => {
    const { signal: _, persistKey: __, ...request } = options;
    const stream = new EventStream(url, {
      ...request,
      lastEventId,
      // The stream itself reads these two.
      parse: (text, type) => (hasRooms(type) ? jsonOrText(text) : text),
      // It hears of each cursor, also of those without an event.
      persist: {
        getItem: () => null,
        setItem: () => observer.moved(),
      },
    });
    stream.onState((state, error) => observer.status(state, error));
    stream.subscribe(({ type, data, id }) => {
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      const cursor = id === undefined ? undefined : stream.lastEventId;
      observer.event({ type, text, id, cursor });
    });
    // In the turn in which the stream is made, so that its first request has them.
    const first = rooms.length > 0 ? stream.join(...rooms) : Promise.resolve();
    first.catch(() => {});
    return {
      get lastEventId() {
        return stream.lastEventId;
      },
      close: stream.close,
      first,
      join: (...names) => stream.join(...names),
      leave: (...names) => stream.leave(...names),
    };
  };
}
