import type { SseConnection } from '../connection/sse-connection.js';
import { describe } from '../ground/errors.js';
import { listen } from '../hub/listen.js';
import { addressOf } from '../output/request.js';
import { Notes } from './notes.js';
import type { InspectedNotes } from './state.js';

/**
 * Keeps notes of notable happenings, from its construction until `stop()`. So a page also shows
 * what happened before it was opened. It subscribes only to channels with few messages, never to
 * one that gets a message for each event.
 */
export class NoteKeeper {
  private readonly since = Date.now();
  private readonly notes: Notes;
  private readonly dropped = new WeakMap<SseConnection, number>();
  readonly stop: () => void;

  /**
   * @param process the id of this process
   * @param isOwn whether a connection is the inspector's
   */
  constructor(
    process: string,
    private readonly isOwn: (connection: SseConnection) => boolean,
  ) {
    const notes = (this.notes = new Notes(process));
    this.stop = listen('The inspector', {
      refuse: ({ reason, request }) => {
        notes.add('refuse', `${reason}: ${addressOf(request) || 'unknown address'}`);
      },
      gap: ({ connection, rooms, reason }) => {
        if (connection !== undefined && isOwn(connection)) return;
        const more = rooms.length > 5 ? ` and ${rooms.length - 5} more` : '';
        notes.add('gap', `${reason}: ${rooms.slice(0, 5).join(', ')}${more}`, connection?.id);
      },
      stall: ({ connection, bufferedBytes }) => {
        if (isOwn(connection)) return;
        const text = `the client read none of ${bufferedBytes} bytes, so its socket is destroyed`;
        notes.add('stall', text, connection.id);
      },
      log: ({ hub, trouble }) => {
        const name = hub === '' ? 'default hub' : `hub ${hub}`;
        notes.add('log', `${name}: ${trouble ?? 'events arrive again'}`);
      },
      error: ({ error, connection }) => {
        notes.add('error', describe(error), connection?.id);
      },
    });
  }

  /**
   * To be called now and then: the channel of drops is published on for each event that a slow
   * client misses, and the connection counts them anyway.
   */
  look(connection: SseConnection): void {
    const { droppedEvents } = connection;
    if (droppedEvents === 0) return;
    const before = this.dropped.get(connection) ?? 0;
    if (droppedEvents === before || this.isOwn(connection)) return;
    this.dropped.set(connection, droppedEvents);
    const text = 'events were dropped, because the client reads too slowly';
    this.notes.add('drop', text, connection.id, droppedEvents - before);
  }

  report(): InspectedNotes {
    return { since: this.since, list: this.notes.newestFirst() };
  }
}
