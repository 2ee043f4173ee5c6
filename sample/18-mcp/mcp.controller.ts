import type { ServerResponse } from 'node:http';
import { All, Body, Controller, Req, Res } from '@nestjs/common';
import { McpSessions, type McpRequest } from 'nestjs-eventstream/mcp';

/** Streamable HTTP. Any process takes any request of any session. */
@Controller('mcp')
export class McpController {
  constructor(private readonly sessions: McpSessions) {}

  @All()
  handle(
    @Req() request: McpRequest,
    @Res() response: ServerResponse,
    @Body() body: unknown,
  ): Promise<void> {
    return this.sessions.handle(request, response, body);
  }
}
