import 'reflect-metadata';
import {
  BadRequestException,
  HttpException,
  Inject,
  Injectable,
  Logger,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { finalize, of, Subscriber, type Observable } from 'rxjs';
import { currentConnection, drawRetry, SseConnection } from './connection.js';
import { SseConnections } from './connections.js';
import { SseInvalidFieldError, SseNotStreamableError } from './errors.js';
import { HubEvent } from './event.js';
import { encodeFrame, type SseMessage } from './frame.js';
import { runHandlerWith } from './handler.js';
import { toMessage } from './message.js';
import { warnOfReservedType } from './reserved-types.js';
import { lastEventIdOf, StreamResponse, type HttpRequest, type HttpResponse } from './response.js';
import { toObservable } from './source.js';
import {
  SSE_DEFAULTS,
  SSE_OPTIONS,
  streamSettings,
  type SseModuleOptions,
  type SseStreamOptions,
  type StreamSettings,
} from './sse.options.js';

/** Where `@SseStream()` leaves its options. */
export const SSE_STREAM = 'nestjs-eventstream:stream';

/** The id of the last event of a stream that is over: who brings it has read everything. */
const END_ID = 'sse-end';

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
  private readonly logger = new Logger('Sse');
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
      // Any other status than 200 would stop a browser for good.
      response.answer(200, encodeFrame({ retry: drawRetry(settings.retry ?? SSE_DEFAULTS.retry) }));
      return of(undefined);
    }
    const connection = new SseConnection(request, response, settings, this.connections);
    this.connections.add(connection);
    connectionsOfRequests.set(request, connection);
    runHandlerWith(platformResponse, (call) => this.run(call, connection, response));
    // The call is over when the stream has begun. If it is over before, somebody else answers.
    return next.handle().pipe(finalize(() => connection.abandon()));
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
  ): Promise<void> {
    return currentConnection.run(connection, async () => {
      try {
        const source = toObservable(await call(), connection);
        if (connection.state === 'closed') return;
        if (response.isHead) connection.close('complete');
        else await this.begin(source, connection);
      } catch (error) {
        throw toHttpError(error);
      }
    });
  }

  /** Subscribes, and resolves when the stream has begun: with the first message, or without one in the next turn. */
  private begin(source: Observable<unknown>, connection: SseConnection): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (connection.state === 'open') return this.failLate(error, connection);
        // In this order: the end of the connection resolves.
        reject(error);
        connection.abandon();
      };
      const attempt = (step: () => void): void => {
        try {
          step();
        } catch (error) {
          fail(error);
        }
      };
      const subscriber = new Subscriber<unknown>({
        next: (value) =>
          attempt(() => {
            const frame = frameOf(value, connection.settings);
            connection.open();
            connection.push(frame);
          }),
        error: fail,
        complete: () => attempt(() => this.complete(connection)),
      });
      connection.onBegun(resolve);
      connection.onEnd(() => {
        subscriber.unsubscribe();
        resolve();
      });
      source.subscribe(subscriber);
      setImmediate(() => attempt(() => connection.open()));
    });
  }

  private complete(connection: SseConnection): void {
    connection.open();
    if (connection.settings.onComplete === 'close') {
      connection.push(encodeFrame({ type: 'sse-end', id: END_ID, data: { reason: 'complete' } }));
    }
    connection.close('complete');
  }

  /** An error after the first byte: one last message, and the end. */
  private failLate(error: unknown, connection: SseConnection): void {
    try {
      const message = this.lastMessage(error, connection);
      if (message) connection.push(encodeFrame(message, connection.settings.serialize));
    } catch (hookError) {
      this.logger.error(hookError);
    }
    connection.close('error');
  }

  private lastMessage(error: unknown, connection: SseConnection): SseMessage | undefined | void {
    const { onError } = connection.settings;
    if (onError !== undefined) return onError(error, connection);
    this.logger.error(error);
    return { type: 'sse-error', data: errorBody(error) };
  }
}

function frameOf(value: unknown, settings: StreamSettings): string {
  if (value instanceof HubEvent) return value.frame;
  const message = toMessage(value, settings.map);
  warnOfReservedType(message.type);
  return encodeFrame(message, settings.serialize);
}

/** What the client would have got as a response; for anything but an `HttpException`, nothing that could be a secret. */
function errorBody(error: unknown): object {
  if (!(error instanceof HttpException))
    return { statusCode: 500, message: 'Internal server error' };
  const body = error.getResponse();
  return typeof body === 'object' ? body : { statusCode: error.getStatus(), message: body };
}

/** A room name often comes from the URL, so a wrong one is the client's error. */
function toHttpError(error: unknown): unknown {
  if (error instanceof SseInvalidFieldError && error.field === 'room') {
    return new BadRequestException(error.message, { cause: error });
  }
  return error;
}
