import { Logger } from '@nestjs/common';
import type { CloseReason, SseConnection } from './connection.js';
import type { RefusalReason } from './diagnostics.js';
import { addressOf, pathOf, type HttpRequest } from './response.js';

const logger = new Logger('Sse');

/** A flood of refusals is told by one line in so long. */
const REFUSALS_EVERY_MS = 10_000;

/**
 * What the log tells of connections, as objects, for whoever reads logs by program: the beginning and the end of each at
 * `debug`, refusals at `warn`. Never a line per event. The query is left out: it may be a ticket.
 */
export class StreamLogs {
  private refused = 0;
  private refusalsToldAt = -Infinity;

  opened(connection: SseConnection, connections: number): void {
    if (isDebugOff()) return;
    logger.debug({ event: 'open', ...placeOf(connection), connections });
  }

  closed(connection: SseConnection, reason: CloseReason, connections: number): void {
    if (isDebugOff()) return;
    const { openedAt = 0, sentEvents: events, sentBytes: bytes } = connection;
    const durationMs = Date.now() - openedAt;
    const facts = { reason, durationMs, events, bytes, connections };
    logger.debug({ event: 'close', ...placeOf(connection), ...facts });
  }

  /** `refused`: how many there were since the last line. */
  refusal(reason: RefusalReason, request: HttpRequest, connections: number): void {
    this.refused++;
    const now = performance.now();
    if (now < this.refusalsToldAt + REFUSALS_EVERY_MS) return;
    const { refused } = this;
    const [route, remote] = [pathOf(request), addressOf(request)];
    logger.warn({ event: 'refuse', reason, route, remote, refused, connections });
    this.refused = 0;
    this.refusalsToldAt = now;
  }
}

/** The error itself, for whoever reports errors, and where it was. */
export function logError(error: unknown, connection: SseConnection): void {
  logger.error(error, { event: 'error', ...placeOf(connection) });
}

/** Nest 11 takes no level for enabled, not even `fatal`, where none were chosen. */
function isDebugOff(): boolean {
  return Logger.isLevelEnabled('fatal') && !Logger.isLevelEnabled('debug');
}

function placeOf({ id, request }: SseConnection) {
  return { connection: id, route: pathOf(request), remote: addressOf(request) };
}
