/** The pause before an attempt. */
export class Pause {
  /** Ends the pause. Does nothing if there is none. */
  end = (): void => {};

  /** Resolves after this time, or with `end()`. `endsOnline`: or when there is a network again. */
  async last(ms: number, endsOnline: boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.end = () => resolve();
      timer = setTimeout(this.end, ms);
      if (endsOnline) globalThis.addEventListener?.('online', this.end);
    });
    clearTimeout(timer);
    globalThis.removeEventListener?.('online', this.end);
  }
}
