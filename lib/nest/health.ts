import { Injectable } from '@nestjs/common';
import { Registry } from '../connection/registry.js';
import { Hubs } from '../hub/hubs.js';

/**
 * What `SseHealth.check()` answers: a health indicator's result, as `@nestjs/terminus` 11 takes it.
 * @publicApi
 */
export type SseHealthResult<Key extends string = 'sse'> = Record<
  Key,
  { readonly status: 'up' | 'down'; readonly trouble?: string }
>;

/**
 * Whether events reach this process: not that a connection to their log is open, but that what is
 * published comes back. A log in memory is always up.
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
   * `down` with what is wrong, for the first hub that has trouble, or while the app ends its
   * streams. Never rejects.
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
