/** A reader of a stream: a listener, a subscription or a loop. */
export interface EventReader<Event> {
  /** Whether it can take the next event now. */
  readonly isReady: boolean;
  give(event: Event): void;
  /** The stream has ended, with the error if it failed. */
  end(error: Error | undefined): void;
}

interface Asking<Event> {
  readonly resolve: (result: IteratorResult<Event, undefined>) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One `for await` loop, which takes an event when it asks for one. Not a generator, whose
 * `return()` waits for a pending `next()`: leaving the loop must work on a quiet stream too.
 */
export class Loop<Event> implements AsyncIterator<Event, undefined>, EventReader<Event> {
  /**
   * Events that nobody has asked for. Loops over a stream have none, as they are given on demand.
   */
  unread: Event[] = [];
  private readonly asking: Asking<Event>[] = [];
  private isOver = false;
  private error: Error | undefined;

  constructor(
    private readonly onAsk: () => void,
    private readonly onLeave: () => void,
  ) {}

  get isReady(): boolean {
    return this.asking.length > 0;
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    return new Promise((resolve, reject) => {
      this.asking.push({ resolve, reject });
      if (this.unread.length > 0) this.give(this.unread.shift()!);
      else if (this.isOver) this.settle();
      else this.onAsk();
    });
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.unread = [];
    this.end(undefined);
    this.onLeave();
    return Promise.resolve({ value: undefined, done: true });
  }

  give(value: Event): void {
    const asking = this.asking.shift();
    if (asking) asking.resolve({ value, done: false });
    else this.unread.push(value);
  }

  end(error: Error | undefined): void {
    this.isOver = true;
    this.error = error;
    this.settle();
  }

  /** The error is thrown once, as by a generator. */
  private settle(): void {
    for (const { resolve, reject } of this.asking.splice(0)) {
      const { error } = this;
      this.error = undefined;
      if (error === undefined) resolve({ value: undefined, done: true });
      else reject(error);
    }
  }
}
