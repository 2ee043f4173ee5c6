import {
  BadRequestException,
  Body,
  Controller,
  GatewayTimeoutException,
  Get,
  Header,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Query,
  Res,
  ServiceUnavailableException,
  SetMetadata,
  UseGuards,
  VERSION_NEUTRAL,
  type ControllerOptions,
  type Type,
} from '@nestjs/common';
import { map } from 'rxjs';
import type { SseConnection } from '../connection/sse-connection.js';
import { preview, SseError } from '../ground/errors.js';
import { Connection, SseStream } from '../nest/sse.decorators.js';
import { SSE_UNCOUNTED } from '../nest/sse.interceptor.js';
import { AllowedHostsGuard } from './allowed-hosts.guard.js';
import type { InspectedRoomEntries, InspectedRoomEvents } from './inspected-room.js';
import { Inspector } from './inspector.js';
import type { SseInspectorOptions } from './inspector.options.js';
import { readPage } from './page.js';
import { SameOriginGuard } from './same-origin.guard.js';
import type { InspectorState } from './state.js';

/** What Express and Fastify have in common. */
interface PageResponse {
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

/** Creates the controllers of an app, because their path and guard depend on the options. */
export function inspectorControllers(options: SseInspectorOptions): Type[] {
  const { testEvents = true } = options;
  return [
    pageController(options),
    dataController(options),
    ...(testEvents ? [testEventController(options)] : []),
  ];
}

const routesOf = ({ path = 'sse-inspector' }: SseInspectorOptions): ControllerOptions => ({
  path,
  version: VERSION_NEUTRAL,
});

/**
 * The metadata of `@ApiExcludeController()`, because the inspector is not part of the app's API.
 */
const ExcludedFromApi = () => SetMetadata('swagger/apiExcludeController', [true]);

function pageController(options: SseInspectorOptions): Type {
  const { guard, allowedHosts, signIn, testEvents = true } = options;
  const { html, headers } = readPage({ signIn: signIn !== undefined, testEvents });
  // A browser cannot send a token when it opens a page. The page holds no data.
  const guards = signIn === undefined ? [guard] : [];

  @ExcludedFromApi()
  @Controller(routesOf(options))
  @UseGuards(new AllowedHostsGuard(allowedHosts), ...guards)
  class InspectorPageController {
    /** Uses the response directly, so that no interceptor of the app wraps the page into JSON. */
    @Get()
    page(@Res() response: PageResponse): void {
      for (const [name, value] of Object.entries(headers)) response.header(name, value);
      response.send(html);
    }
  }
  return InspectorPageController;
}

function dataController(options: SseInspectorOptions): Type {
  const { guard, allowedHosts } = options;
  const fromPage = new SameOriginGuard(allowedHosts);

  @ExcludedFromApi()
  @Controller(routesOf(options))
  @UseGuards(new AllowedHostsGuard(allowedHosts), guard)
  class InspectorController {
    constructor(private readonly inspector: Inspector) {}

    @Get('state')
    @Header('Cache-Control', 'no-store')
    state(@Query() query: unknown): Promise<InspectorState> {
      return this.inspector.state(query);
    }

    /**
     * Sends text, which the app's `serialize` does not touch. A slow page only needs the latest
     * state.
     */
    @SetMetadata(SSE_UNCOUNTED, true)
    @SseStream('events', { backpressure: { overflow: 'conflate' } })
    events(@Connection() connection: SseConnection, @Query() query: unknown) {
      return this.inspector
        .watch(connection, query)
        .pipe(map(({ type, data }) => ({ type, data: JSON.stringify(data) })));
    }

    @Get('rooms/events')
    @Header('Cache-Control', 'no-store')
    async roomEvents(
      @Query('room') room = '',
      @Query('hub') hub = '',
      @Query('after') after?: string,
    ): Promise<InspectedRoomEvents> {
      const events = await orHttpError(this.inspector.roomEvents(room, hub, after));
      if (events === undefined) throw noHub(hub);
      return events;
    }

    @Get('rooms/entries')
    @Header('Cache-Control', 'no-store')
    async roomEntries(
      @Query('room') room = '',
      @Query('hub') hub = '',
    ): Promise<InspectedRoomEntries> {
      const entries = await orHttpError(this.inspector.roomEntries(room, hub));
      if (entries === undefined) throw noHub(hub);
      return entries;
    }

    @Post('connections/:id/close')
    @HttpCode(204)
    @UseGuards(fromPage)
    async closeConnection(
      @Param('id') id: string,
      @Query('process') process?: string,
    ): Promise<void> {
      const done = await orHttpError(this.inspector.act(process, { close: 'connection', id }));
      if (done === undefined) throw noAnswer(process);
      if (!done) throw new NotFoundException(`No open connection in this process has the id ${id}`);
    }

    @Post('rooms/close')
    @HttpCode(204)
    @UseGuards(fromPage)
    async closeRoom(
      @Query('room') room = '',
      @Query('hub') hub?: string,
      @Query('process') process?: string,
    ): Promise<void> {
      const done = await orHttpError(this.inspector.act(process, { close: 'room', room, hub }));
      if (done === undefined) throw noAnswer(process);
      if (!done) throw new NotFoundException(`No stream in this process reads the room "${room}"`);
    }

    /** @param value as JSON, as the text `"7"` is another fact than the number `7` */
    @Post('revoke')
    @HttpCode(204)
    @UseGuards(fromPage)
    async revoke(@Query('fact') name = '', @Query('value') value = ''): Promise<void> {
      const fact = fromJson(value);
      if (name === '' || (typeof fact !== 'string' && typeof fact !== 'number')) {
        throw new BadRequestException(
          'To revoke, send ?fact=user&value="ann": the name of a fact, and its value as JSON',
        );
      }
      await orHttpError(this.inspector.revoke(name, fact));
    }
  }
  return InspectorController;
}

function testEventController(options: SseInspectorOptions): Type {
  const { guard, allowedHosts } = options;

  @ExcludedFromApi()
  @Controller(routesOf(options))
  @UseGuards(new AllowedHostsGuard(allowedHosts), guard, new SameOriginGuard(allowedHosts))
  class InspectorTestEventController {
    constructor(private readonly inspector: Inspector) {}

    @Post('rooms/emit')
    @HttpCode(200)
    async emit(
      @Body() body: unknown,
      @Query('room') room = '',
      @Query('hub') hub = '',
    ): Promise<{ id: string }> {
      const { type, data } = Object(body) as { type?: unknown; data?: unknown };
      if (data === undefined || (type !== undefined && typeof type !== 'string')) {
        throw new BadRequestException(
          'A test event needs a JSON body with `data`; its `type` is optional, and a string',
        );
      }
      const message = type === undefined ? { data } : { type, data };
      const id = await orHttpError(this.inspector.emit(room, hub, message));
      if (id === undefined) throw noHub(hub);
      return { id };
    }
  }
  return InspectorTestEventController;
}

/** Turns errors of the library into answers that the page shows. */
async function orHttpError<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof SseError)) throw error;
    const { code, message } = error;
    if (code === 'SSE_LOG_UNAVAILABLE' || code === 'SSE_CLOSED') {
      throw new ServiceUnavailableException(message, { cause: error });
    }
    throw new BadRequestException(message, { cause: error });
  }
}

function noHub(name: string): NotFoundException {
  return new NotFoundException(`No hub has the name ${preview(name)}`);
}

function noAnswer(process = ''): GatewayTimeoutException {
  return new GatewayTimeoutException(
    `Process ${preview(process)} does not answer; it may have ended`,
  );
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
