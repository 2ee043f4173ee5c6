import type { Authorization } from './authorization.js';
import type { CloseReason } from './close-reason.js';
import { logError } from './connection-logger.js';
import { diagnostics } from './diagnostics.js';
import type { SseConnection } from './sse-connection.js';
import type { Task } from './upkeep.js';

/** The part of a stream that upkeep tasks use. */
export interface AttendedStream extends SseConnection {
  readonly authorization: Authorization;
  sendKeepAlive(): void;
  sendKeepAliveIfIdle(): void;
  revoke(): void;
  destroy(reason: CloseReason): void;
}

/** Does a task that is due for a stream. */
export function attend(stream: AttendedStream, task: Task): void {
  switch (task) {
    case 'keep-alive':
      return stream.sendKeepAlive();
    case 'ask':
      return void askAgain(stream);
    case 'duration':
      return stream.close('duration');
    case 'unanswered': {
      const trouble = 'authorize has not answered for a whole keep-alive interval';
      logError(`${trouble}, which counts as no`, stream);
      return stream.revoke();
    }
    case 'stall':
      // An ended stream is also checked, until its client has read the end.
      if (stream.state !== 'closed') {
        diagnostics.stall.publish({ connection: stream, bufferedBytes: stream.bufferedBytes });
      }
      return stream.destroy('stall');
  }
}

/** The keep-alive carries a cursor, which a revoked client must not get. */
async function askAgain(stream: AttendedStream): Promise<void> {
  const isAllowed = await stream.authorization.askAgain();
  if (stream.state !== 'open') return;
  if (isAllowed) stream.sendKeepAliveIfIdle();
  else stream.revoke();
}
