import { Logger } from '@nestjs/common';
import type { CloseReason } from './close-reason.js';
import type { RefusalReason } from './diagnostics.js';
import { describe } from '../ground/errors.js';
import { addressOf, pathOf, type HttpRequest } from '../output/request.js';
import { RareLine } from '../ground/warnings.js';
import type { SseConnection } from './sse-connection.js';

const logger = new Logger('Sse');

/**
 * Structured log lines about connections: `debug` for the start and the end of each, `warn` for
 * refusals. Never one per event, and never with the query, which may hold a ticket.
 */
export class ConnectionLogger {
  private readonly refusals = new RareLine();
  /** Kept from the start, because HTTP/2 no longer knows the address of a client that has left. */
  private readonly contexts = new WeakMap<SseConnection, ReturnType<typeof contextOf>>();

  opened(connection: SseConnection, connections: number): void {
    if (isDebugOff()) return;
    const context = contextOf(connection);
    this.contexts.set(connection, context);
    logger.debug({ event: 'open', ...context, connections });
  }

  closed(connection: SseConnection, reason: CloseReason, connections: number): void {
    if (isDebugOff()) return;
    const { openedAt = 0, sentEvents: events, sentBytes: bytes } = connection;
    const durationMs = Date.now() - openedAt;
    const facts = { reason, durationMs, events, bytes, connections };
    const context = this.contexts.get(connection) ?? contextOf(connection);
    logger.debug({ event: 'close', ...context, ...facts });
  }

  /** `trouble` is what is wrong with the log that the stream needs. */
  refusal(
    reason: RefusalReason,
    request: HttpRequest,
    connections: number,
    trouble?: string,
  ): void {
    const refused = this.refusals.again();
    if (refused === 0) return;
    const [route, remote] = [pathOf(request), addressOf(request)];
    const facts = { event: 'refuse', reason, route, remote, refused, connections };
    logger.warn(trouble === undefined ? facts : { ...facts, trouble });
  }
}

/** Logs the error object, for error trackers. Never throws, even if the app's logger does. */
export function logError(error: unknown, connection: SseConnection): void {
  try {
    logger.error(error, { event: 'error', ...contextOf(connection) });
  } catch (loggerError) {
    process.emitWarning(`the logger of the app threw: ${describe(loggerError)}`, { type: 'Sse' });
  }
}

/** Logs what a step throws. Returns whether it succeeded. */
export function quietly(connection: SseConnection, step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    logError(error, connection);
    return false;
  }
}

/** On Nest 11, no level counts as enabled, not even `fatal`, if the app has set none. */
function isDebugOff(): boolean {
  return Logger.isLevelEnabled('fatal') && !Logger.isLevelEnabled('debug');
}

function contextOf({ id, request }: SseConnection) {
  return { connection: id, route: pathOf(request), remote: addressOf(request) };
}
