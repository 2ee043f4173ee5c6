import { Logger } from '@nestjs/common';
import { describe, preview } from './errors.js';

const logger = new Logger('Sse');
/** The texts that were logged, by kind, so that one kind cannot use up the limit of another. */
const warned = new Map<string, Set<string>>();
/** Event types may come from clients, so the number is bounded. */
const MAX_OF_A_KIND = 100;

/** Logs a problem once per kind and subject. */
function warnOnce(kind: string, text: string, which = ''): void {
  const known = warned.get(kind) ?? new Set();
  warned.set(kind, known);
  if (known.has(which) || known.size >= MAX_OF_A_KIND) return;
  known.add(which);
  logger.warn(text);
}

/** Repeated problems are logged at most once per `EVERY_MS`. */
const EVERY_MS = 10_000;

/** Limits how often a line is logged. */
export class RareLine {
  private times = 0;
  private toldAt = -Infinity;

  /**
   * Counts one more occurrence. Returns how many there were since the last line, or 0 if it is too
   * early for another line.
   */
  again(): number {
    this.times++;
    const now = performance.now();
    if (now < this.toldAt + EVERY_MS) return 0;
    const { times } = this;
    this.times = 0;
    this.toldAt = now;
    return times;
  }
}

/** Warns of event types that have another meaning at the client. They are still sent. */
export function warnOfReservedType(type: string | undefined): void {
  // Other values are refused where the message is checked.
  if (typeof type !== 'string') return;
  if (type !== 'error' && type !== 'open' && !type.startsWith('sse-')) return;
  warnOnce(
    'type',
    type.startsWith('sse-')
      ? `The event type ${preview(type)} is reserved for this library; choose a name that does not begin with "sse-"`
      : `An EventSource also passes events of type "${type}" to its on${type} handler; choose another name`,
    type,
  );
}

/** Warns if this process is one of several and its events stay in its own memory. */
export function warnOfSeveralProcesses(env: NodeJS.ProcessEnv, isWorker: boolean): void {
  const isManaged = env['NODE_APP_INSTANCE'] !== undefined || env['pm_id'] !== undefined;
  if (!isWorker && (!isManaged || env['instances'] === '1')) return;
  const who = isWorker ? 'a worker of node:cluster' : 'run by PM2';
  const effect = 'an event reaches only clients of the process that publishes it';
  const remedy = 'Set `log: redisEventLog({ url })` in SseModule.forRoot().';
  warnOnce(
    'several processes',
    `This process is ${who} and keeps events in its own memory, so ${effect}. ${remedy}`,
  );
}

/** Settings that have no effect on hub events, which are encoded once for all readers. */
export type OptionForOwnValues = 'map' | 'serialize' | '@SerializeOptions()';

const REMEDIES: Record<OptionForOwnValues, string> = {
  map: 'map them after stream(): `map((event) => ({ ...event, data: … }))`',
  serialize: 'set `serialize` for the hub, in SseModule.forRoot() or forFeature()',
  '@SerializeOptions()': 'pass the options to a global ClassSerializerInterceptor',
};

/** Warns of a setting without effect when a handler opens a stream of a hub. */
export function warnOfUnusedOption(option: OptionForOwnValues, route: string): void {
  const remedy = REMEDIES[option];
  warnOnce(
    'unused option',
    `\`${option}\` of the stream ${route} has no effect on hub events, which are encoded once for all readers; ${remedy}`,
    `${option} ${route}`,
  );
}

/** The idle timeout of most proxies and load balancers. */
const USUAL_IDLE_TIMEOUT_MS = 60_000;

export function warnOfLongKeepAlive(intervalMs: number | undefined): void {
  if (intervalMs === undefined || intervalMs < USUAL_IDLE_TIMEOUT_MS) return;
  const limit = `${USUAL_IDLE_TIMEOUT_MS / 1_000} s`;
  warnOnce(
    'keep-alive',
    `keepAlive.intervalMs is ${intervalMs}, but proxies close connections that are idle for ${limit}; choose a much shorter interval`,
  );
}

export function warnOfCompression(): void {
  const remedy = 'exclude event streams from it, or keep `no-transform` in Cache-Control';
  warnOnce('compression', `Something compresses event streams, which can delay events; ${remedy}`);
}

export function warnOfUnknownEvent(type: string, route: string): void {
  const what = `The contract of the stream ${route} has no event ${preview(type)}, so it was left out`;
  const remedy = 'add it to the contract, or list `types` in stream()';
  warnOnce('unknown event', `${what}; ${remedy}`, `${route} ${type}`);
}

/** Warns of a stream with the option `compression` that something else has encoded already. */
export function warnOfForeignEncoding(route: string, encoding: string): void {
  const what = `\`compression\` has no effect on the stream ${route}`;
  const cause = `its response already has "Content-Encoding: ${encoding}"`;
  const remedy = 'Remove that header, or set `compression: false` for the stream.';
  warnOnce('foreign encoding', `${what}, because ${cause}. ${remedy}`, route);
}

/** Warns of middleware that wraps a response, though the stream is compressed here. */
export function warnOfWrappedStream(route: string): void {
  const what = `The stream ${route} is compressed by the option \`compression\``;
  const effect = 'each chunk goes through the middleware that compresses other responses';
  const remedy = 'Leave the path out of the middleware, which saves CPU.';
  warnOnce('wrapped stream', `${what}, but ${effect}. ${remedy}`, route);
}

/** Only the client can notice this: the client of this library reports it. */
export function warnOfHeldBackStreams(): void {
  const what = 'A client waited twice for a stream and received no byte';
  const cause = 'A proxy may buffer the responses (switch that off for event streams)';
  const other = 'the browser may have all six HTTP/1.1 connections in use';
  warnOnce('held back', `${what}. ${cause}, or ${other}.`);
}

/** Warns if a connection without a hub stream gets a hub event: nothing tracks its position. */
export function warnOfSharedStream(): void {
  const what = 'A hub event was sent on a connection that never called stream()';
  const cause = 'its client gets neither missed events nor sse-gap';
  const remedy = 'Call stream() once per connection instead of share(), or leave out the `id`.';
  warnOnce('shared stream', `${what}, so ${cause}. ${remedy}`);
}

export function warnOfManyStreams(count: number): void {
  const cause = `A browser has ${count} streams open over HTTP/1.1, the most it allows per origin`;
  const remedy = 'Use one stream for several rooms, share it between tabs, or serve HTTP/2.';
  warnOnce('six streams', `${cause}, so its next request waits. ${remedy}`);
}

/**
 * Warns of a call that would have ended an open stream or set a header on it. `caught` is the error
 * that an exception filter was about to answer.
 */
export function warnOfLateAnswer(
  route: string,
  call: string,
  caught: unknown,
  stack: string | undefined,
): void {
  const thrown = caught instanceof Error ? caught : undefined;
  const name = thrown?.name ?? preview(caught);
  const who = caught === undefined ? `response.${call}` : `${name}: ${describe(caught)}`;
  const frame = frameOfApp(thrown?.stack) ?? frameOfApp(stack);
  const where = frame === undefined ? '' : ` (${frame})`;
  const remedy =
    'Set headers or throw no later than one turn of the event loop after the handler returns.';
  // A filter that answers with JSON makes four calls from one place: three headers and the end.
  warnOnce(
    'late',
    `The stream ${route} has already begun, so this is ignored: ${who}${where}. ${remedy}`,
    `${route} ${frame ?? who}`,
  );
}

const CHANGES_FROZEN =
  /^Cannot (delete property|add property|assign to read only property|redefine property|set property)/;

/** Adds a remedy to the `TypeError` of an operator that changes a hub event in place. */
export function warnOfFrozenEvent(error: unknown, route: string): void {
  if (!(error instanceof TypeError) || !CHANGES_FROZEN.test(error.message)) return;
  const what = 'A hub event is frozen, because all readers share it';
  const remedy = 'send a copy: `map((event) => ({ ...event, data: changed(event.data) }))`';
  const text = `The stream ${route} failed: ${error.message}. ${what}; ${remedy}`;
  warnOnce('frozen', text, route);
}

/** The first line of a stack that belongs to neither Node nor a package. */
function frameOfApp(stack = ''): string | undefined {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const isForeign = /node_modules|node:|<anonymous>/;
  return frames.find((line) => !isForeign.test(line))?.trim();
}

/** Once for each set of patterns: names of rooms may come from clients. */
export function warnOfUnmatchedRoom(room: string, patterns: readonly string[]): void {
  const what = `A stream of the room ${preview(room)} was refused, because no pattern of \`authorize\` matches it`;
  const remedy = 'Add a pattern for such rooms, or correct the name.';
  warnOnce('unmatched room', `${what}. ${remedy}`, patterns.join('\n'));
}

/** Logged at start-up, because with `@Sse()` interceptors do see each event. */
export function warnOfInterceptors(names: readonly string[]): void {
  if (names.length === 0) return;
  const what = 'These interceptors run once per stream and do not see its events';
  const remedy = 'To map or log events, use pipe() in the handler.';
  logger.log(`${what}: ${names.join(', ')}. ${remedy}`);
}
