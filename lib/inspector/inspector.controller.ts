import {
  Controller,
  Get,
  Header,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Query,
  Res,
  SetMetadata,
  UseGuards,
  VERSION_NEUTRAL,
  type Type,
} from '@nestjs/common';
import { map } from 'rxjs';
import type { SseConnection } from '../connection/sse-connection.js';
import { Connection, SseStream } from '../nest/sse.decorators.js';
import { SSE_UNCOUNTED } from '../nest/sse.interceptor.js';
import { AllowedHostsGuard } from './allowed-hosts.guard.js';
import { SameOriginGuard } from './same-origin.guard.js';
import { Inspector } from './inspector.js';
import type { SseInspectorOptions } from './inspector.options.js';
import { readPage } from './page.js';
import type { InspectorState } from './state.js';

/** The common part of the responses of Express and Fastify. */
interface PageResponse {
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

/** Creates the controller of an app, because its path and guard depend on the options. */
export function inspectorController({
  guard,
  path = 'sse-inspector',
  allowedHosts,
}: SseInspectorOptions): Type {
  const { html, headers } = readPage();
  const fromPage = new SameOriginGuard(allowedHosts);

  // The metadata of `@ApiExcludeController()`, because the inspector is not part of the app's API.
  @SetMetadata('swagger/apiExcludeController', [true])
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(new AllowedHostsGuard(allowedHosts), guard)
  class InspectorController {
    constructor(private readonly inspector: Inspector) {}

    /** Uses the response directly, so that no interceptor of the app wraps the page into JSON. */
    @Get()
    page(@Res() response: PageResponse): void {
      for (const [name, value] of Object.entries(headers)) response.header(name, value);
      response.send(html);
    }

    @Get('state')
    @Header('Cache-Control', 'no-store')
    state(): InspectorState {
      return this.inspector.state();
    }

    /**
     * Sends text, which the app's `serialize` does not touch. A slow page only needs the latest
     * state.
     */
    @SetMetadata(SSE_UNCOUNTED, true)
    @SseStream('events', { backpressure: { overflow: 'conflate' } })
    events(@Connection() connection: SseConnection) {
      return this.inspector
        .watch(connection)
        .pipe(map((state) => ({ type: 'state', data: JSON.stringify(state) })));
    }

    @Post('connections/:id/close')
    @HttpCode(204)
    @UseGuards(fromPage)
    closeConnection(@Param('id') id: string): void {
      if (this.inspector.closeConnection(id)) return;
      throw new NotFoundException(`No open connection in this process has the id ${id}`);
    }

    @Post('rooms/close')
    @HttpCode(204)
    @UseGuards(fromPage)
    closeRoom(@Query('room') room = '', @Query('hub') hub?: string): void {
      if (this.inspector.closeRoom(room, hub)) return;
      throw new NotFoundException(`No stream in this process reads the room "${room}"`);
    }
  }
  return InspectorController;
}
