/**
 * A log on Redis, shared by many processes. Needs `ioredis`.
 * @module nestjs-eventstream/redis
 */

// for `SseModule.forRoot({ log })`
export { redisEventLog } from './event-log-redis.js';
export type { RedisClient, RedisEventLogOptions } from './redis.options.js';
