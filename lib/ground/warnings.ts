import { Logger } from '@nestjs/common';
import { describe, preview } from './errors.js';

const logger = new Logger('Sse');
/** By kind, so that many of one kind keep no other from the log. */
const warned = new Map<string, Set<string>>();
/** Event types may be a client's. */
const MAX_OF_A_KIND = 100;

/** What goes wrong later, or elsewhere, is logged when it can be seen: each thing once. */
function warnOnce(kind: string, text: string, which = ''): void {
  const known = warned.get(kind) ?? new Set();
  warned.set(kind, known);
  if (known.has(which) || known.size >= MAX_OF_A_KIND) return;
  known.add(which);
  logger.warn(text);
}

/** What happens again and again is one line of the log in so long. */
const EVERY_MS = 10_000;

/** For a line that would flood the log. */
export class RareLine {
  private times = 0;
  private toldAt = -Infinity;

  /**
   * It has happened again: how often since the last line, or 0 where it is too early for another.
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

/** Types that mean something else at the client already: they are still sent. */
export function warnOfReservedType(type: string | undefined): void {
  // A type that is no text is told as an error, where it is checked.
  if (typeof type !== 'string') return;
  if (type !== 'error' && type !== 'open' && !type.startsWith('sse-')) return;
  warnOnce(
    'type',
    type.startsWith('sse-')
      ? `The event type ${preview(type)} is reserved for this library; choose a name that does not begin with "sse-"`
      : `The event type "${type}" also calls on${type} of an EventSource; choose another name`,
    type,
  );
}

/** A process that was started as one of several, and whose hubs know nothing of the others. */
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

/** What does nothing to events that a hub has encoded for all their readers. */
export type OptionForOwnValues = 'map' | 'serialize' | '@SerializeOptions()';

const REMEDIES: Record<OptionForOwnValues, string> = {
  map: 'map them after stream(): `map((event) => ({ ...event, data: … }))`',
  serialize: 'set `serialize` for the hub, in SseModule.forRoot() or forFeature()',
  '@SerializeOptions()': 'pass the options to a global ClassSerializerInterceptor',
};

/**
 * Options of `@SseStream()` that its handler's hub events do not heed: told when it opens a hub's
 * stream.
 */
export function warnOfUnusedOption(option: OptionForOwnValues, route: string): void {
  const remedy = REMEDIES[option];
  warnOnce(
    'unused option',
    `\`${option}\` of the stream ${route} has no effect on hub events, which are encoded once for all readers; ${remedy}`,
    `${option} ${route}`,
  );
}

/** The idle timeout that most proxies and load balancers have. */
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

/** Nothing at this end shows it; a client of this library says so. */
export function warnOfHeldBackStreams(): void {
  const what = 'A client waited twice for a stream and received no byte';
  const cause = 'A proxy may buffer the responses (switch that off for event streams)';
  const other = 'the browser may have all six HTTP/1.1 connections in use';
  warnOnce('held back', `${what}. ${cause}, or ${other}.`);
}

/**
 * An event of a hub goes to a client for which no stream of a hub was opened, so nothing knows what
 * it has missed.
 */
export function warnOfSharedStream(): void {
  const what = 'A hub event was sent on a connection that has no stream of a hub';
  const cause = 'its client gets no missed events and no sse-gap';
  const remedy = 'Call stream() once per connection instead of share(), or leave out the `id`.';
  warnOnce('shared stream', `${what}, so ${cause}. ${remedy}`);
}

export function warnOfManyStreams(count: number): void {
  const cause = `A browser has ${count} streams open over HTTP/1.1, the most it allows per origin`;
  const remedy = 'Use one stream for several rooms, share it between tabs, or serve HTTP/2.';
  warnOnce('six streams', `${cause}, so its next request waits. ${remedy}`);
}

/**
 * What would have ended a stream that had begun, or set a header on it. `caught`: the error that a
 * filter was to answer.
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
    'An interceptor can set headers or throw until one turn of the event loop after the handler returns.';
  // A filter that answers with JSON sets three headers and ends the response, all from one place.
  warnOnce(
    'late',
    `The stream ${route} has already begun, so this is ignored: ${who}${where}. ${remedy}`,
    `${route} ${frame ?? who}`,
  );
}

const CHANGES_FROZEN =
  /^Cannot (delete property|add property|assign to read only property|redefine property|set property)/;

/**
 * An operator that changes an event of a hub in place fails with an error of the language, which
 * names no remedy.
 */
export function warnOfFrozenEvent(error: unknown, route: string): void {
  if (!(error instanceof TypeError) || !CHANGES_FROZEN.test(error.message)) return;
  const what = 'A hub event is frozen, because all readers share it';
  const remedy = 'send a copy: `map((event) => ({ ...event, data: changed(event.data) }))`';
  const text = `The stream ${route} failed: ${error.message}. ${what}; ${remedy}`;
  warnOnce('frozen', text, route);
}

/** The first line of a stack that is neither Node's nor a package's. */
function frameOfApp(stack = ''): string | undefined {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const isForeign = /node_modules|node:|<anonymous>/;
  return frames.find((line) => !isForeign.test(line))?.trim();
}

/** At start-up: with `@Sse()` these see each event, here the set-up alone. */
export function warnOfInterceptors(names: readonly string[]): void {
  if (names.length === 0) return;
  const what = 'These interceptors run once per stream and do not see its events';
  const remedy = 'To map or log events, use pipe() in the handler.';
  logger.log(`${what}: ${names.join(', ')}. ${remedy}`);
}
