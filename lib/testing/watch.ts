/** Below what test runners allow a test, so that the message comes from here. */
export const DEFAULT_TIMEOUT_MS = 2_000;

/** Those who wait for something that can be seen; who came first looks first. */
export class Watch {
  private readonly looks = new Set<() => void>();
  private over: string | undefined;

  /** There may be something to see. */
  changed(): void {
    for (const look of this.looks) look();
  }

  /** Nothing more will come, for this reason. A second one does not count. */
  end(why: string): void {
    this.over ??= why;
    this.changed();
  }

  /**
   * Resolves with the first thing that `look` finds, which has to be other than `undefined`.
   * Rejects with the error of `explain`, which is told why nothing was found, or with what `look`
   * throws.
   */
  until<T>(
    look: () => T | undefined,
    explain: (why: string) => Error,
    timeoutMs = Infinity,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (report: () => void): void => {
        clearTimeout(timer);
        this.looks.delete(attempt);
        report();
      };
      const attempt = (): void => {
        try {
          const found = look();
          if (found !== undefined) settle(() => resolve(found));
          else if (this.over !== undefined) {
            const error = explain(this.over);
            settle(() => reject(error));
          }
        } catch (error) {
          settle(() => reject(error));
        }
      };
      this.looks.add(attempt);
      if (timeoutMs !== Infinity) {
        const late = (): void => settle(() => reject(explain(`not within ${timeoutMs} ms`)));
        timer = setTimeout(late, timeoutMs);
      }
      attempt();
    });
  }
}
