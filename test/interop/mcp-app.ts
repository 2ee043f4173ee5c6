// The sample's controller, with the server that the conformance suite asks for. Prints its address.
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { McpSessions } from 'nestjs-eventstream/mcp';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { localhostHostValidation } from '@modelcontextprotocol/sdk/server/middleware/hostHeaderValidation.js';
import { McpController } from '../../sample/18-mcp/mcp.controller.js';
import { createTestServer } from './mcp-server.js';

const { REDIS_URL: url } = process.env;

@Module({
  imports: [SseModule.forRoot(url === undefined ? {} : { log: redisEventLog({ url }) })],
  controllers: [McpController],
  providers: [
    {
      provide: McpSessions,
      inject: [Broadcaster],
      useFactory: (broadcaster: Broadcaster) =>
        new McpSessions(broadcaster, { createServer: createTestServer, retryMs: 500 }),
    },
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.use(localhostHostValidation());
await app.listen(Number(process.env['PORT'] ?? 0), 'localhost');
console.log(`${await app.getUrl()}/mcp`);
