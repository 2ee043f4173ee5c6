import { Injectable } from '@nestjs/common';
import { Registry } from '../connection/registry.js';
import { Hubs } from '../hub/hubs.js';

/**
 * The result of `SseHealth.check()`, in the format of a `@nestjs/terminus` 11 health indicator.
 * `trouble` is the reason for `down`.
 * @publicApi
 */
export type SseHealthResult<Key extends string = 'sse'> = Record<
  Key,
  { readonly status: 'up' | 'down'; readonly trouble?: string }
>;

/**
 * Reports whether events reach this process. It is `up` if published events come back from the
 * log; an open connection to Redis alone is not enough. A log in memory is always `up`.
 * @example
 * ```ts
 * @Get('ready') @HealthCheck()
 * ready() {
 *   return this.health.check([() => this.sse.check()]);
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class SseHealth {
  constructor(
    private readonly hubs: Hubs,
    private readonly connections: Registry,
  ) {}

  /**
   * Resolves with `down` and the reason for the first hub that gets no events, and while the app
   * shuts down. Never rejects.
   * @param key the name in the result; 'sse' by default
   */
  async check<Key extends string = 'sse'>(key = 'sse' as Key): Promise<SseHealthResult<Key>> {
    const trouble = this.connections.isDraining
      ? 'the app is shutting down'
      : await this.hubs.trouble();
    const state =
      trouble === undefined ? { status: 'up' as const } : { status: 'down' as const, trouble };
    return { [key]: state } as SseHealthResult<Key>;
  }
}
