/**
 * A promise that is settled from outside. Nobody has to await it: that a client leaves is no error.
 */
export class Deferred<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => {});
  }

  static rejected(error: unknown): Promise<never> {
    const deferred = new Deferred<never>();
    deferred.reject(error);
    return deferred.promise;
  }
}
