import 'reflect-metadata';
import {
  Inject,
  Injectable,
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
import { describe, readable, SseError, SseNotStreamableError } from '../ground/errors.js';
import { encodeFrame, toJson } from '../wire/frame.js';
import { notAcceptable, reasonOf, refusalOf, requireAccepted, toHttpError } from './refusals.js';
import { runHandlerWith } from './handler-takeover.js';
import { acceptsEventStream, isWithoutBody } from '../wire/negotiation.js';
import { END_ID } from '../wire/protocol.js';
import { returningClientOf, type HttpRequest } from '../output/request.js';
import { endSession } from '../output/http2-sessions.js';
import type { HttpResponse } from '../output/http-response.js';
import { StreamResponse } from '../output/response.js';
import { RouteInterceptors, type ToPlain } from './route-interceptors.js';
import { SSE_STREAM, type RouteOptions } from './stream-routes.js';
import { contractInput, type ContractInput } from './contract-route.js';
import { isSource, toObservable } from './handler-result.js';
import { failLate, writeStream } from './stream-writer.js';
import { SSE_OPTIONS } from '../options/token.js';
import type { SseModuleOptions } from './module.options.js';
import { STREAM_DEFAULTS } from '../connection/stream.options.js';
import { streamSettings, type StreamSettings } from '../connection/stream-settings.js';
import { warnOfLongKeepAlive } from '../ground/warnings.js';

/**
 * Marks a handler whose streams take no slot: an operator who diagnoses an overload must get in
 * even when every slot is taken.
 */
export const SSE_UNCOUNTED = 'nestjs-eventstream:uncounted';

/** Turns the result of a handler into a stream. */
@Injectable()
export class SseInterceptor implements NestInterceptor {
  private readonly settings = new WeakMap<object, StreamSettings>();
  /** Resolves when the serializers and the compression of these settings are loaded. */
  private readonly ready = new WeakMap<StreamSettings, Promise<void>>();
  /** Serializes an answer that is not a stream. */
  private readonly plain = new WeakMap<StreamSettings, ToPlain>();

  private readonly connections: Registry;
  private readonly options: SseModuleOptions;
  private readonly routes: RouteInterceptors;

  /**
   * The dependencies are optional, because Nest's own error for a missing one does not name the
   * module to import.
   */
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Optional() connections?: Registry,
    @Optional() @Inject(SSE_OPTIONS) options?: SseModuleOptions,
    @Optional() routes?: RouteInterceptors,
  ) {
    if (connections === undefined || options === undefined || routes === undefined) {
      throw new SseError(
        'SSE_OPTIONS',
        'SseModule is missing where @SseStream() is used; import SseModule.forRoot() in the root module, ' +
          'or with isGlobal: false in the module of the controller',
      );
    }
    this.connections = connections;
    this.options = options;
    this.routes = routes;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') {
      throw new SseNotStreamableError(
        `@SseStream() needs an HTTP route, got a context of type "${context.getType()}"`,
      );
    }
    const http = context.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const platformResponse = http.getResponse<HttpResponse>();
    const response = new StreamResponse(request, platformResponse, setImmediate);
    const handler = context.getHandler();
    const settings = this.settingsOf(context);

    if (response.isGone) return of(undefined);
    if (!settings.negotiate) requireAccepted(request, settings);
    const returning = returningClientOf(request);
    if (returning?.text === END_ID) {
      response.answer(204, settings.headers);
      return of(undefined);
    }
    const refusal = this.refusalFor(request, handler);
    if (refusal !== undefined) {
      this.refuse(refusal.reason, request, response, settings, refusal.waitMs);
      return of(undefined);
    }
    const stream = new Stream(request, response, settings, this.connections, returning);
    this.connections.add(stream);
    runHandlerWith(platformResponse, (call) => this.run(call, stream, response));
    return stream.opening?.during(next.handle()) ?? of(undefined);
  }

  private refusalFor(request: HttpRequest, handler: object) {
    if (this.connections.isDraining) return { reason: 'shutdown' as const, waitMs: 0 };
    const isUncounted = Reflect.hasMetadata(SSE_UNCOUNTED, handler);
    return isUncounted ? this.connections.admitUncounted(request) : this.connections.admit(request);
  }

  private settingsOf(context: ExecutionContext): StreamSettings {
    const handler = context.getHandler();
    let settings = this.settings.get(handler);
    if (settings === undefined) {
      const own = Reflect.getMetadata(SSE_STREAM, handler) as RouteOptions | undefined;
      settings = this.withSerializers(streamSettings(this.options, own), context);
      this.loadCompression(settings);
      warnOfLongKeepAlive(settings.keepAliveMs);
      this.settings.set(handler, settings);
    }
    return settings;
  }

  private loadCompression(settings: StreamSettings): void {
    const loaded = settings.compression?.load();
    if (loaded === undefined) return;
    const ready = this.ready.get(settings);
    this.ready.set(
      settings,
      loaded.then(() => ready),
    );
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
    this.plain.set(all, (data) => toPlain(data));
    this.ready.set(
      all,
      serializers.then((found) => void (toPlain = found)),
    );
    return all;
  }

  /** Runs the handler in the stream's async context, where `Broadcaster.stream()` finds it. */
  private run(
    call: (connection: Stream, input?: ContractInput) => unknown,
    stream: Stream,
    response: StreamResponse,
  ): Promise<void> {
    const { settings, request } = stream;
    return currentStream.run(stream, async () => {
      stream.keepContext();
      try {
        const ready = this.ready.get(settings);
        if (ready !== undefined) await ready;
        if (settings.negotiate && stream.opening)
          stream.opening.forbidden = notAcceptable(request, settings);
        const { contract } = settings;
        const input = contract && (await contractInput(contract, request));
        const result = await call(stream, input);
        // The handler may have entered an AsyncLocalStorage.
        stream.keepContext();
        if (stream.state === 'closed') return;
        // A stream that has begun cannot become another answer.
        const mayAnswer = stream.openedAt === undefined;
        if (mayAnswer && this.answersInstead(result, request, response, settings))
          return stream.opening?.abandon();
        const source = toObservable(result, stream);
        if (response.isHead) stream.close('complete');
        else await writeStream(source, stream);
      } catch (thrown) {
        const error = readable(thrown);
        // The handler has already sent something.
        if (stream.openedAt !== undefined) return failLate(toHttpError(error), stream);
        const reason = reasonOf(error);
        if (reason === undefined) throw toHttpError(error);
        stream.opening?.abandon();
        const trouble = reason === 'log' ? describe(error) : undefined;
        this.refuse(reason, request, response, settings, 0, trouble);
      }
    });
  }

  /** Sends an answer that is not a stream, because Nest leaves the response to this handler. */
  private answersInstead(
    result: unknown,
    request: HttpRequest,
    stream: StreamResponse,
    settings: StreamSettings,
  ): boolean {
    const { negotiate, headers } = settings;
    const { response, declaredStatus } = stream;
    if (isWithoutBody(response.statusCode, declaredStatus)) {
      stream.answer(response.statusCode, headers);
      return true;
    }
    if (!negotiate) return false;
    if (!isSource(result)) {
      // By `@Res()`, for example with `response.json()`.
      if (stream.isAnswered) return true;
      const { httpAdapter } = this.adapterHost;
      httpAdapter.appendHeader(response, 'Vary', 'Accept');
      httpAdapter.reply(response, this.plain.get(settings)?.(result) ?? result);
      return true;
    }
    requireAccepted(request, settings);
    return false;
  }

  /**
   * Refuses a connection for now. Any status but 200 stops an EventSource permanently, so a status
   * is sent only if `rejectWith` is 'status' or the client does not accept event streams.
   */
  private refuse(
    reason: RefusalReason,
    request: HttpRequest,
    response: StreamResponse,
    { retry = STREAM_DEFAULTS.retry, rejectWith, headers }: StreamSettings,
    waitMs: number,
    trouble?: string,
  ): void {
    this.connections.refused(reason, request, trouble);
    const { session } = response;
    if (reason === 'shutdown' && session !== undefined) endSession(session);
    const retryMs = Math.ceil(waitMs) + drawRetry(retry);
    if (rejectWith === 'retry' && acceptsEventStream(request.headers.accept))
      return response.answer(200, headers, encodeFrame({ retry: retryMs }));
    const seconds = Math.ceil(retryMs / 1_000);
    response.retryAfter = seconds;
    throw refusalOf(reason, seconds);
  }
}
