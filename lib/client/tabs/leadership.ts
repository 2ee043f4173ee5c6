import { factsOf, type Entry } from './messages.js';
import type { SharedRooms } from './shared-rooms.js';
import type { Source, Surroundings } from './surroundings.js';

/** What a leading tab does in its term: it reads the stream, and posts what that brings. */
export class Leadership {
  private source: Source | undefined;
  /** How many events it has posted. */
  private posted = 0;
  /** The last cursor that it has posted. */
  private lastPosted: string | undefined;

  constructor(
    readonly term: number,
    private readonly around: Surroundings,
    private readonly rooms: SharedRooms,
  ) {}

  /** Whether it has opened the stream. */
  get hasBegun(): boolean {
    return this.source !== undefined;
  }

  begin(cursor: string | undefined): void {
    const { term, around } = this;
    const rooms = this.rooms.union;
    this.rooms.restart(rooms);
    this.lastPosted = cursor;
    const isOpen = (): boolean => this.source !== undefined;
    this.source = around.connect(cursor, rooms, {
      event: (entry) => isOpen() && this.post(entry),
      moved: () => this.postCursor(),
      status: (state, error) => {
        const status = { state, error: error && factsOf(error) };
        if (isOpen()) around.post({ kind: 'status', term, status });
      },
    });
    const { first } = this.source;
    const joining = rooms.length > 0 && this.rooms.joinAt(this.source, term, rooms, first);
    // The server goes on with the rooms of the leader before, which maybe nobody has any more.
    void Promise.resolve(joining).then(() => this.updateRooms());
  }

  end(): void {
    const { source } = this;
    // First, because the source reports its end.
    this.source = undefined;
    source?.close();
  }

  /** Answers a `ping`. */
  show(): void {
    if (!this.source) return;
    this.postCursor();
    this.around.post({ kind: 'at', term: this.term, n: this.posted });
  }

  /** Posts the cursor, which the next leader needs also if no event has moved it. */
  postCursor(): void {
    const { lastEventId: cursor } = this.source ?? {};
    if (cursor === undefined || cursor === this.lastPosted) return;
    this.post({ type: '', text: undefined, id: undefined, cursor });
  }

  updateRooms(): void {
    if (this.source) void this.rooms.update(this.source, this.term);
  }

  private post(entry: Entry): void {
    this.lastPosted = entry.cursor ?? this.lastPosted;
    this.around.post({ kind: 'event', term: this.term, n: ++this.posted, entry });
  }
}
