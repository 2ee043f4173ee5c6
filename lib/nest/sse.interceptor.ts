import 'reflect-metadata';
import {
  BadRequestException,
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  NotAcceptableException,
  Optional,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { of, type Observable } from 'rxjs';
import { currentStream } from '../connection/current-stream.js';
import { Stream } from '../connection/stream.js';
import { drawRetry } from '../options/retry.js';
import { Registry } from '../connection/registry.js';
import type { RefusalReason } from '../connection/diagnostics.js';
import {
  describe,
  SseError,
  SseInvalidFieldError,
  SseLimitError,
  SseNotStreamableError,
} from '../ground/errors.js';
import { encodeFrame, toJson } from '../wire/frame.js';
import { runHandlerWith } from './handler-takeover.js';
import { acceptsEventStream, isWithoutBody } from '../wire/negotiation.js';
import { END_ID } from '../wire/protocol.js';
import {
  returningClientOf,
  StreamResponse,
  type HttpRequest,
  type HttpResponse,
} from '../output/response.js';
import { RouteInterceptors, SSE_STREAM, type ToPlain } from './route-interceptors.js';
import { isSource, toObservable } from './handler-result.js';
import { failLate, writeStream } from './stream-writer.js';
import { SSE_OPTIONS } from '../options/token.js';
import type { SseModuleOptions } from './module.options.js';
import { STREAM_DEFAULTS, type SseStreamOptions } from '../connection/stream.options.js';
import { streamSettings, type StreamSettings } from '../connection/stream-settings.js';
import { warnOfLongKeepAlive } from '../ground/warnings.js';

/**
 * Marks a handler whose streams take no slot. An operator diagnosing an overload must get in even
 * when every slot is taken.
 */
export const SSE_UNCOUNTED = 'nestjs-eventstream:uncounted';

/** How much of a header is shown. */
const MAX_SHOWN = 200;

/** From the handler's result to a connection. */
@Injectable()
export class SseInterceptor implements NestInterceptor {
  private readonly settings = new WeakMap<object, StreamSettings>();
  /** Of handlers whose values a `ClassSerializerInterceptor` makes plain: when it can. */
  private readonly ready = new WeakMap<StreamSettings, Promise<void>>();

  private readonly connections: Registry;
  private readonly options: SseModuleOptions;
  private readonly routes: RouteInterceptors;

  /** Nest makes it when the app starts. Its own message for what is missing does not name the module to import. */
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Optional() connections?: Registry,
    @Optional() @Inject(SSE_OPTIONS) options?: SseModuleOptions,
    @Optional() routes?: RouteInterceptors,
  ) {
    if (connections === undefined || options === undefined || routes === undefined) {
      throw new SseError(
        'SSE_OPTIONS',
        'SseModule is missing where @SseStream() is used; add SseModule.forRoot() to the imports of the root module, ' +
          'or where it is isGlobal: false, to those of the module that has the controller',
      );
    }
    this.connections = connections;
    this.options = options;
    this.routes = routes;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') {
      throw new SseNotStreamableError(
        `an event stream needs an HTTP response, and this is a context of type "${context.getType()}"`,
      );
    }
    const http = context.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const platformResponse = http.getResponse<HttpResponse>();
    const response = new StreamResponse(request, platformResponse, setImmediate);
    const handler = context.getHandler();
    const settings = this.settingsOf(context);

    if (response.isGone) return of(undefined);
    if (!settings.negotiate) requireAccepted(request);
    const returning = returningClientOf(request);
    if (returning?.text === END_ID) {
      response.answer(204, settings.headers);
      return of(undefined);
    }
    const refusal = this.refusalOf(request, handler);
    if (refusal !== undefined) {
      this.refuse(refusal.reason, request, response, settings, refusal.waitMs);
      return of(undefined);
    }
    const stream = new Stream(request, response, settings, this.connections, returning);
    this.connections.add(stream);
    runHandlerWith(platformResponse, (call) => this.run(call, stream, response));
    return stream.opening?.during(next.handle()) ?? of(undefined);
  }

  private refusalOf(request: HttpRequest, handler: object) {
    if (this.connections.isDraining) return { reason: 'shutdown' as const, waitMs: 0 };
    const isUncounted = Reflect.hasMetadata(SSE_UNCOUNTED, handler);
    return isUncounted ? this.connections.admitUncounted(request) : this.connections.admit(request);
  }

  private settingsOf(context: ExecutionContext): StreamSettings {
    const handler = context.getHandler();
    let settings = this.settings.get(handler);
    if (settings === undefined) {
      const own = Reflect.getMetadata(SSE_STREAM, handler) as SseStreamOptions | undefined;
      settings = this.withSerializers(streamSettings(this.options, own), context);
      warnOfLongKeepAlive(settings.keepAliveMs);
      this.settings.set(handler, settings);
    }
    return settings;
  }

  private withSerializers(settings: StreamSettings, context: ExecutionContext): StreamSettings {
    const serializers = this.routes.toPlain(context);
    if (serializers === undefined) return settings;
    let toPlain: ToPlain = (data) => data;
    const { serialize = toJson, unusedByHubs } = settings;
    const hasOptions = this.routes.hasSerializeOptions(context);
    const all: StreamSettings = {
      ...settings,
      serialize: (data, type) => serialize(toPlain(data), type),
      unusedByHubs: unusedByHubs ?? (hasOptions ? '@SerializeOptions()' : undefined),
    };
    this.ready.set(
      all,
      serializers.then((found) => void (toPlain = found)),
    );
    return all;
  }

  /** Within the stream's context, so that what the handler calls and subscribes to can find it. */
  private run(
    call: (connection: Stream) => unknown,
    stream: Stream,
    response: StreamResponse,
  ): Promise<void> {
    const { settings, request } = stream;
    return currentStream.run(stream, async () => {
      try {
        await this.ready.get(settings);
        const result = await call(stream);
        if (stream.state === 'closed') return;
        if (this.answersInstead(result, request, response, settings))
          return stream.opening?.abandon();
        const source = toObservable(result, stream);
        if (response.isHead) stream.close('complete');
        else await writeStream(source, stream);
      } catch (error) {
        // The handler has sent something itself, and then failed.
        if (stream.openedAt !== undefined) return failLate(toHttpError(error), stream);
        const reason = reasonOf(error);
        if (reason === undefined) throw toHttpError(error);
        stream.opening?.abandon();
        const trouble = reason === 'log' ? describe(error) : undefined;
        this.refuse(reason, request, response, settings, 0, trouble);
      }
    });
  }

  /** Nest takes the response of a handler of ours for answered, so an answer that is no stream is sent here. */
  private answersInstead(
    result: unknown,
    request: HttpRequest,
    stream: StreamResponse,
    { negotiate, headers }: StreamSettings,
  ): boolean {
    const { response, declaredStatus } = stream;
    if (isWithoutBody(response.statusCode, declaredStatus)) {
      stream.answer(response.statusCode, headers);
      return true;
    }
    if (!negotiate) return false;
    if (!isSource(result)) {
      const { httpAdapter } = this.adapterHost;
      httpAdapter.appendHeader(response, 'Vary', 'Accept');
      httpAdapter.reply(response, result);
      return true;
    }
    requireAccepted(request);
    return false;
  }

  /** Not now. Any other status than 200 stops a browser for good; a client that uses `fetch` may ask for one. */
  private refuse(
    reason: RefusalReason,
    request: HttpRequest,
    response: StreamResponse,
    { retry = STREAM_DEFAULTS.retry, rejectWith, headers }: StreamSettings,
    waitMs: number,
    trouble?: string,
  ): void {
    this.connections.refused(reason, request, trouble);
    if (reason === 'shutdown') response.endSession();
    const retryMs = Math.ceil(waitMs) + drawRetry(retry);
    if (rejectWith === 'retry' && acceptsEventStream(request.headers.accept))
      return response.answer(200, headers, encodeFrame({ retry: retryMs }));
    const seconds = Math.ceil(retryMs / 1_000);
    response.retryAfter = seconds;
    const isClients = reason === 'key' || reason === 'rate';
    const statusCode = isClients ? HttpStatus.TOO_MANY_REQUESTS : HttpStatus.SERVICE_UNAVAILABLE;
    const message = `${WHY_NOT[reason]}; try again in ${seconds} s`;
    throw new HttpException({ statusCode, message, reason }, statusCode);
  }
}

/** @throws NotAcceptableException for a client that takes no event streams */
function requireAccepted({ headers: { accept } }: HttpRequest): void {
  if (acceptsEventStream(accept)) return;
  throw new NotAcceptableException(
    `this route answers with text/event-stream, which the header "Accept: ${accept?.slice(0, MAX_SHOWN)}" does not allow`,
  );
}

const WHY_NOT: Record<RefusalReason, string> = {
  process: 'All places for streams are taken',
  key: 'You have too many open streams',
  rate: 'You open streams too often',
  room: 'All places in this room are taken',
  shutdown: 'The server is about to end',
  log: 'Events cannot be read at the moment',
};

function reasonOf(error: unknown): RefusalReason | undefined {
  if (error instanceof SseLimitError && error.limit === 'maxPerRoom') return 'room';
  return error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE' ? 'log' : undefined;
}

/** Room names often come from the URL, so a wrong one, or too many, are the client's error. */
function toHttpError(error: unknown): unknown {
  const isTooManyRooms = error instanceof SseLimitError && error.limit === 'maxRoomsPerConnection';
  if (isTooManyRooms || (error instanceof SseInvalidFieldError && error.field === 'room')) {
    return new BadRequestException(error.message, { cause: error });
  }
  return error;
}
