import 'reflect-metadata';
import {
  BadRequestException,
  Inject,
  Injectable,
  Logger,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { finalize, of, tap, type Observable } from 'rxjs';
import { currentConnection, drawRetry, SseConnection } from './connection.js';
import { SseConnections } from './connections.js';
import { describe, SseError, SseInvalidFieldError, SseNotStreamableError } from './errors.js';
import { encodeFrame } from './frame.js';
import { runHandlerWith } from './handler.js';
import { lastEventIdOf, StreamResponse, type HttpRequest, type HttpResponse } from './response.js';
import { toObservable } from './source.js';
import { END_ID, writeStream } from './stream-writer.js';
import {
  SSE_DEFAULTS,
  SSE_OPTIONS,
  type SseModuleOptions,
  type SseStreamOptions,
} from './sse.options.js';
import { streamSettings, type StreamSettings } from './stream-settings.js';

/** Where `@SseStream()` leaves its options. */
export const SSE_STREAM = 'nestjs-eventstream:stream';

const logger = new Logger('Sse');

const connectionsOfRequests = new WeakMap<object, SseConnection>();

/** @throws SseNotStreamableError for a request that no `@SseStream()` handler answers */
export function connectionOf(request: object): SseConnection {
  const connection = connectionsOfRequests.get(request);
  if (connection !== undefined) return connection;
  throw new SseNotStreamableError(
    'there is no connection here; use @Connection() only in a handler of @SseStream()',
  );
}

/** From the handler's result to a connection. */
@Injectable()
export class SseInterceptor implements NestInterceptor {
  private readonly settings = new WeakMap<object, StreamSettings>();

  constructor(
    private readonly connections: SseConnections,
    @Inject(SSE_OPTIONS) private readonly options: SseModuleOptions,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') {
      throw new SseNotStreamableError(
        `an event stream needs an HTTP response, and this is a context of type "${context.getType()}"`,
      );
    }
    const http = context.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const platformResponse = http.getResponse<HttpResponse>();
    const response = new StreamResponse(request, platformResponse);
    const settings = this.settingsOf(context.getHandler());

    if (response.isGone) return of(undefined);
    if (settings.onComplete === 'close' && lastEventIdOf(request) === END_ID) {
      response.answer(204);
      return of(undefined);
    }
    if (this.connections.isDraining) {
      refuse(response, settings);
      return of(undefined);
    }
    const connection = new SseConnection(request, response, settings, this.connections);
    this.connections.add(connection);
    connectionsOfRequests.set(request, connection);
    runHandlerWith(platformResponse, (call) => this.run(call, connection, response, settings));
    // The call is over when the stream has begun. If it is over before, somebody else answers.
    return next.handle().pipe(
      tap({ complete: () => refuseUnlessBegun(connection) }),
      finalize(() => connection.abandon()),
    );
  }

  private settingsOf(handler: object): StreamSettings {
    let settings = this.settings.get(handler);
    if (settings === undefined) {
      const own = Reflect.getMetadata(SSE_STREAM, handler) as SseStreamOptions | undefined;
      settings = streamSettings(this.options, own);
      this.settings.set(handler, settings);
    }
    return settings;
  }

  /** Within the connection's context, so that what the handler calls and subscribes to can find it. */
  private run(
    call: () => unknown,
    connection: SseConnection,
    response: StreamResponse,
    settings: StreamSettings,
  ): Promise<void> {
    return currentConnection.run(connection, async () => {
      try {
        const source = toObservable(await call(), connection);
        if (connection.state === 'closed') return;
        if (response.isHead) connection.close('complete');
        else await writeStream(source, connection);
      } catch (error) {
        if (!isLogAway(error) || connection.openedAt !== undefined) throw toHttpError(error);
        logger.warn(`A stream was refused: ${describe(error)}`);
        connection.abandon();
        refuse(response, settings);
      }
    });
  }
}

/** Nest does not answer for a handler of ours, so what another interceptor answers in its place would never be sent. */
function refuseUnlessBegun({ state }: SseConnection): void {
  if (state !== 'opening') return;
  throw new SseNotStreamableError(
    'an interceptor answered in place of the handler; throw there, or let it call the handler',
  );
}

/** Not now: any other status than 200 would stop a browser for good. */
function refuse(response: StreamResponse, { retry = SSE_DEFAULTS.retry }: StreamSettings): void {
  response.answer(200, encodeFrame({ retry: drawRetry(retry) }));
}

function isLogAway(error: unknown): boolean {
  return error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE';
}

/** A room name often comes from the URL, so a wrong one is the client's error. */
function toHttpError(error: unknown): unknown {
  if (error instanceof SseInvalidFieldError && error.field === 'room') {
    return new BadRequestException(error.message, { cause: error });
  }
  return error;
}
