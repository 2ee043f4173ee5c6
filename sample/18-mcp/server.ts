import { setTimeout as delay } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import * as z from 'zod';

/** One for each session. */
export function createServer(): McpServer {
  const server = new McpServer({ name: 'sample-18', version: '1.0.0' });
  server.registerTool(
    'count',
    {
      description: 'Counts, and reports how far it is.',
      inputSchema: {
        to: z.int().min(1).max(1_000),
        stepMs: z.int().min(0).max(1_000).default(100),
      },
    },
    async ({ to, stepMs }, { signal, sendNotification, _meta }) => {
      const progressToken = _meta?.progressToken;
      for (let progress = 1; progress <= to; progress++) {
        await delay(stepMs, undefined, { signal });
        if (progressToken === undefined) continue;
        const params = { progressToken, progress, total: to };
        await sendNotification({ method: 'notifications/progress', params });
      }
      return { content: [{ type: 'text', text: `Counted to ${to} in process ${process.pid}` }] };
    },
  );
  return server;
}
