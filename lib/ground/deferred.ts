/**
 * A promise that is settled from outside. A rejection that nobody awaits is not reported, because a
 * client that leaves is not an error.
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
