import { Loop, type EventReader } from '../loop.js';
import { gapOf } from './rooms-of.js';

/** A loop with this many unread events gets one `sse-gap` instead of them. */
const MAX_UNREAD = 10_000;

/** A loop that takes every event at once, and the reader that feeds it. */
export function boundedLoop<Event>(onLeave: (reader: EventReader<Event>) => void): {
  readonly loop: Loop<Event>;
  readonly reader: EventReader<Event>;
} {
  const loop: Loop<Event> = new Loop(
    () => {},
    () => onLeave(reader),
  );
  const reader: EventReader<Event> = {
    isReady: true,
    give: (event) => {
      if (loop.unread.length >= MAX_UNREAD) loop.unread = [gapOf([], 'overflow') as Event];
      loop.give(event);
    },
    end: (error) => loop.end(error),
  };
  return { loop, reader };
}
