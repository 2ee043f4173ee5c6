import { StateMap, type StateMapChange } from '../wire/state-map.js';
import { SseClientError } from './client-error.js';
import { Loop, type EventReader } from './loop.js';

/** A loop that has this many unread changes gets one `state` instead of them. */
const MAX_UNREAD = 1_000;

/** The map of one state room, for the app. */
export class LiveState extends StateMap implements EventReader<unknown> {
  readonly isReady = true;
  readonly changes = { [Symbol.asyncIterator]: () => this.loop() };
  private readonly loops = new Set<Loop<StateMapChange>>();
  private ended: { readonly error: Error | undefined } | undefined;

  get ready(): Promise<void> {
    const ready = this.wait();
    // Not reported if nobody awaits it.
    ready.catch(() => {});
    return ready;
  }

  /** Does nothing: the map changes before the other readers get the event. */
  give(): void {}

  /** Tells the loops. */
  changed(change: StateMapChange): void {
    for (const loop of this.loops) {
      if (change.kind === 'state' || loop.unread.length >= MAX_UNREAD) {
        loop.unread = [];
        loop.give({ kind: 'state' });
      } else loop.give(change);
    }
  }

  end(error: Error | undefined): void {
    this.ended = { error };
    for (const loop of this.loops) loop.end(error);
  }

  private async wait(): Promise<void> {
    const loop = this.loop();
    const { done } = await loop.next();
    void loop.return();
    if (done) throw new SseClientError('SSE_STATE', 'the stream ended before the state came');
  }

  private loop(): Loop<StateMapChange> {
    const loop: Loop<StateMapChange> = new Loop(
      () => {},
      () => this.loops.delete(loop),
    );
    this.loops.add(loop);
    if (this.isWhole) loop.give({ kind: 'state' });
    if (this.ended) loop.end(this.ended.error);
    return loop;
  }
}
