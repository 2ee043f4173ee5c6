import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { localhostHostValidation } from '@modelcontextprotocol/sdk/server/middleware/hostHeaderValidation.js';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { McpSessions } from 'nestjs-eventstream/mcp';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { McpController } from './mcp.controller.js';
import { createServer } from './server.js';

/** Without it there is one process, with a log in its memory. */
const { REDIS_URL: url } = process.env;

@Module({
  imports: [
    SseModule.forRoot(
      url === undefined ? {} : { log: redisEventLog({ url, prefix: 'sample-18' }) },
    ),
  ],
  controllers: [McpController],
  providers: [
    {
      provide: McpSessions,
      inject: [Broadcaster],
      useFactory: (broadcaster: Broadcaster) => new McpSessions(broadcaster, { createServer }),
    },
  ],
})
export class AppModule implements NestModule {
  /** A page of another site must not reach this server by a name of its own. */
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(localhostHostValidation()).forRoutes(McpController);
  }
}
