import type { Gap } from '../log/event-log.js';
import type { GapFrame } from '../output/backlog.js';
import { encodeFrame, type SseMessage } from '../wire/frame.js';
import { END_ID } from '../wire/protocol.js';
import type { ClientCursor } from './client-cursor.js';
import { said } from './controls.js';
import { StreamFacts } from './stream-facts.js';
import type { StreamSettings } from './stream-settings.js';

/** The part of a `Stream` that speaks for the library: gaps, errors, changes of rooms, the end. */
export abstract class StreamControls extends StreamFacts {
  abstract readonly settings: StreamSettings;
  abstract readonly cursor: ClientCursor;

  abstract writeAlways(message: SseMessage): void;
  abstract writeLast(message: SseMessage): void;
  abstract sendCursor(): void;
  protected abstract push(frame: string): void;

  /** Sends a control event, or what `controls` has instead. */
  sendControl(type: string, data: object): void {
    const words = said(type, data, this);
    if (words === 'end') this.endAtGap();
    else if (words !== false) this.writeAlways(words);
  }

  /** Like `sendControl()`, with the client's cursor: it returns with what it has been told. */
  sendControlWithCursor(type: string, data: object): void {
    const words = said(type, data, this);
    if (typeof words !== 'object') return this.sendCursor();
    // mutant: the client is told of a change without its cursor
    const id = this.cursor.text;
    this.push(encodeFrame({ ...words, id }, this.settings.serialize));
  }

  /** Like `sendControl()`, for the event that the stream ends with. */
  sendLast(type: string, data: object, id?: string): void {
    const words = said(type, data, this);
    if (typeof words === 'object') this.writeLast({ ...words, id: words.id ?? id });
    else if (id !== undefined) this.writeLast({ id });
  }

  /** Nothing may follow a gap that the client is not told. */
  private endAtGap(): void {
    this.sendLast('sse-end', { reason: 'gap' }, END_ID);
    this.close('gap');
  }

  /** How the backlog tells of events that it has dropped. */
  get gapFrame(): GapFrame | undefined {
    if (this.settings.controls?.gap === undefined) return undefined;
    return (gap: Gap) => {
      const words = said('sse-gap', gap, this);
      return typeof words === 'object' ? encodeFrame(words, this.settings.serialize) : undefined;
    };
  }
}
