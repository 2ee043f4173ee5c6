/** Shorter than the timeout of test runners, so that the kit's error comes first and says why. */
export const DEFAULT_TIMEOUT_MS = 2_000;

/** Calls that wait for a condition. The first to wait is checked first. */
export class Watch {
  private readonly looks = new Set<() => void>();
  private over: string | undefined;

  /** Checks all conditions. */
  changed(): void {
    for (const look of this.looks) look();
  }

  /** Nothing more will happen, for this reason. Later calls do nothing. */
  end(why: string): void {
    this.over ??= why;
    this.changed();
  }

  /**
   * Resolves with the first value other than `undefined` that `look` returns. Rejects with the
   * error from `explain(why)`, or with what `look` throws.
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
