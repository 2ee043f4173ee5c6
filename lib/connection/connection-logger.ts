import { Logger } from '@nestjs/common';
import type { CloseReason } from './close-reason.js';
import type { RefusalReason } from './diagnostics.js';
import { describe } from '../ground/errors.js';
import { addressOf, pathOf, type HttpRequest } from '../output/request.js';
import { RareLine } from '../ground/warnings.js';
import type { SseConnection } from './sse-connection.js';

const logger = new Logger('Sse');

/**
 * Structured log lines about connections: the beginning and the end of each at `debug`, refusals at
 * `warn`. Never a line per event. The query is left out: it may be a ticket.
 */
export class ConnectionLogger {
  private readonly refusals = new RareLine();
  /** HTTP/2 does not tell the address of a client that has left. */
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

  /**
   * `refused`: how many there were since the last line. `trouble`: what is wrong with the log that
   * the stream needs.
   */
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

/** Logs the error itself, for error trackers. Never throws, though the app's logger may. */
export function logError(error: unknown, connection: SseConnection): void {
  try {
    logger.error(error, { event: 'error', ...contextOf(connection) });
  } catch (loggerError) {
    process.emitWarning(`the logger of the app threw: ${describe(loggerError)}`, { type: 'Sse' });
  }
}

/** Logs what a step throws, and answers whether it went well. */
export function quietly(connection: SseConnection, step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    logError(error, connection);
    return false;
  }
}

/** Nest 11 takes no level for enabled, not even `fatal`, where none were chosen. */
function isDebugOff(): boolean {
  return Logger.isLevelEnabled('fatal') && !Logger.isLevelEnabled('debug');
}

function contextOf({ id, request }: SseConnection) {
  return { connection: id, route: pathOf(request), remote: addressOf(request) };
}
