import type { Overflow } from '../output/backlog.js';
import { joinText, type JoinData } from '../output/joinable.js';
import { Compression } from '../output/compression.js';
import { COMPRESSION_DEFAULTS } from '../output/compression.options.js';
import type { OptionForOwnValues } from '../ground/warnings.js';
import type { Serialize, SseMessage } from '../wire/frame.js';
import type { AnyContract } from '../schema/contract-types.js';
import { defined } from '../options/defined.js';
import type { RetryRange } from '../options/retry.js';
import type { BackpressureOptions } from './backpressure.options.js';
import { mergedControls, type ControlOptions } from './controls.options.js';
import { keepAliveOf } from './keep-alive.options.js';
import {
  STREAM_DEFAULTS,
  type SseMap,
  type SseStreamOptions,
  type StreamOptions,
} from './stream.options.js';

/** The merged options of one stream, with all defaults applied. `undefined` means off. */
export interface StreamSettings {
  readonly keepAliveMs: number | undefined;
  /** The frame of a keep-alive that is an event. */
  readonly keepAliveFrame: string | undefined;
  readonly retry: RetryRange | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: Compression | undefined;
  readonly serialize: Serialize | undefined;
  readonly map: SseMap | undefined;
  /** The stream's own option that events of a hub ignore, if it is set. */
  readonly unusedByHubs: OptionForOwnValues | undefined;
  readonly onError: StreamOptions['onError'];
  readonly controls: ControlOptions | undefined;
  readonly onComplete: 'end' | 'close';
  readonly openWithinMs: number;
  /** Whether `openWithinMs` was set explicitly. It then also holds the opening of an Observable. */
  readonly holdsOpening: boolean;
  readonly flushMs: number;
  readonly maxBufferedBytes: number;
  readonly overflow: Overflow;
  readonly conflateKey: (message: SseMessage) => string;
  readonly joinData: JoinData;
  readonly stallTimeoutMs: number | undefined;
  readonly maxDurationMs: number | undefined;
  readonly rejectWith: 'retry' | 'status';
  readonly negotiate: boolean;
  readonly ignoresAccept: boolean;
  /** The contract of the route, if it has one. */
  readonly contract: AnyContract | undefined;
}

/** Merges defaults, the module's options and the stream's options. Nothing else does. */
export function streamSettings(
  module: StreamOptions,
  stream: SseStreamOptions & { readonly contract?: AnyContract } = {},
): StreamSettings {
  const { keepAlive: _k, retry: _r, backpressure: _b, ...own } = stream;
  const merged = { ...module, ...defined(own) };
  const keepAlive = keepAliveOf(module.keepAlive, stream.keepAlive);
  const retry = stream.retry ?? module.retry ?? STREAM_DEFAULTS.retry;
  const backpressure: Required<Omit<BackpressureOptions, 'key' | 'join'>> & BackpressureOptions = {
    ...STREAM_DEFAULTS.backpressure,
    ...defined(module.backpressure ?? {}),
    ...defined(stream.backpressure ?? {}),
  };
  return {
    keepAliveMs: keepAlive.ms,
    keepAliveFrame: keepAlive.frame,
    retry:
      retry === false
        ? undefined
        : typeof retry === 'number'
          ? { minMs: retry, maxMs: retry }
          : retry,
    headers: { ...module.headers, ...stream.headers },
    compression: compressionOf(module.compression, stream.compression),
    serialize: merged.serialize,
    map: stream.map,
    unusedByHubs: stream.map ? 'map' : stream.serialize && 'serialize',
    // The words of this stream for errors replace those of the module, whichever option has them.
    onError: stream.controls?.error === undefined ? merged.onError : undefined,
    controls: mergedControls(module.controls, stream.controls, stream.onError !== undefined),
    onComplete: merged.onComplete ?? STREAM_DEFAULTS.onComplete,
    openWithinMs: (merged.openWithinMs ?? STREAM_DEFAULTS.openWithinMs) || 0,
    holdsOpening: typeof merged.openWithinMs === 'number',
    flushMs: merged.flushMs ?? STREAM_DEFAULTS.flushMs,
    maxBufferedBytes: backpressure.maxBufferedBytes,
    overflow: backpressure.overflow,
    conflateKey: backpressure.key ?? typeOf,
    joinData: (backpressure.join as JoinData | undefined) ?? joinText,
    stallTimeoutMs: backpressure.stallTimeoutMs || undefined,
    maxDurationMs: merged.maxDurationMs || undefined,
    rejectWith: merged.rejectWith ?? STREAM_DEFAULTS.rejectWith,
    negotiate: stream.negotiate ?? false,
    ignoresAccept: stream.ignoreAccept ?? false,
    contract: stream.contract,
  };
}

/** The stream's option decides whether, and what it leaves out is the module's. */
function compressionOf(
  module: StreamOptions['compression'],
  stream: StreamOptions['compression'],
): Compression | undefined {
  const option = stream ?? module ?? STREAM_DEFAULTS.compression;
  if (option === false) return undefined;
  const sources = [module, stream].map((each) => (typeof each === 'object' ? defined(each) : {}));
  return new Compression(Object.assign({ ...COMPRESSION_DEFAULTS }, ...sources));
}

function typeOf({ type = 'message' }: SseMessage): string {
  return type;
}
