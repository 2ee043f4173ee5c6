/** Who reads a stream. */
export interface EventReader<Event> {
  /** Takes the next event now. */
  readonly isReady: boolean;
  give(event: Event): void;
  /** There is no more; with an error, because of it. */
  end(error: Error | undefined): void;
}

interface Asking<Event> {
  readonly resolve: (result: IteratorResult<Event, undefined>) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One `for await`: it takes an event when it asks for one. Not a generator, whose `return()` would
 * wait for a pending `next()`: who leaves a quiet stream leaves now.
 */
export class Loop<Event> implements AsyncIterator<Event, undefined>, EventReader<Event> {
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
      if (this.isOver) this.settle();
      else this.onAsk();
    });
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.end(undefined);
    this.onLeave();
    return Promise.resolve({ value: undefined, done: true });
  }

  give(value: Event): void {
    this.asking.shift()?.resolve({ value, done: false });
  }

  end(error: Error | undefined): void {
    this.isOver = true;
    this.error = error;
    this.settle();
  }

  /** The error comes once, as out of a generator. */
  private settle(): void {
    for (const { resolve, reject } of this.asking.splice(0)) {
      const { error } = this;
      this.error = undefined;
      if (error === undefined) resolve({ value: undefined, done: true });
      else reject(error);
    }
  }
}
