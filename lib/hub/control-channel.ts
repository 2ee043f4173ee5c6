import { Logger } from '@nestjs/common';
import { hasFact } from '../connection/identify.js';
import type { RevocationChannel } from '../connection/registry.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { describe, SseOptionsError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { LoggedEvent } from '../log/event.js';
import type { NewEvent } from '../log/event-log.js';
import { encodeBody, type SseMessage } from '../wire/frame.js';

/** Apps can neither publish to this room nor read it. */
export const CONTROL_ROOM = 'sse:control';

/** A revocation closes each connection that has all of these facts. */
type Facts = Parameters<RevocationChannel['revoke']>[0];

type Predicate = (connection: SseConnection) => boolean;

/** A message from one process to all. */
interface Revocation {
  readonly revoke: Facts;
}

const logger = new Logger('Sse');

/**
 * Sends revocations to all processes that share the log of a hub. They are events of a room in that
 * log, so they arrive in order, and a process that lost its connection gets them later.
 */
export class ControlChannel implements RevocationChannel {
  private revoked: ((isMeant: Predicate) => void) | undefined;
  private readonly failures = new RareLine();

  constructor(private readonly append: (event: NewEvent) => Promise<unknown>) {}

  /** Logs a failure, so that a rejection that nobody awaits does not end the process. */
  revoke(facts: Facts): Promise<void> {
    const sent = this.send(facts);
    sent.catch((error: unknown) => {
      if (this.failures.again() === 0) return;
      logger.warn(`revokeEverywhere() failed, and streams may stay open: ${describe(error)}`);
    });
    return sent;
  }

  private async send(facts: Facts): Promise<void> {
    const message: SseMessage = { data: encodeRevocation(facts) };
    await this.append({ rooms: [CONTROL_ROOM], message, body: encodeBody(message) });
  }

  /** There is one listener. A second one replaces it. */
  onRevoke(listener: (isMeant: Predicate) => void): void {
    this.revoked = listener;
  }

  /** A message from this or another process arrived. */
  receive({ message }: LoggedEvent): void {
    this.revoked?.(decodeRevocation(String(message.data)));
  }

  /** Messages did not reach this process, and never will. */
  lost(): void {
    logger.warn('Some revocations may not have reached this process; repeat the important ones');
  }
}

/** @throws SseOptionsError for facts that would match every connection */
export function encodeRevocation(facts: Facts): string {
  const what = 'revokeEverywhere()';
  if (typeof facts !== 'object' || Object.keys(facts).length === 0) {
    throw new SseOptionsError(
      what,
      'at least one fact, such as { user: 7 } (to close all streams, call closeAll())',
      facts,
    );
  }
  for (const [name, fact] of Object.entries(facts)) {
    // JSON drops such values, which would match every connection, or writes them as `null`.
    if (['string', 'boolean'].includes(typeof fact) || Number.isFinite(fact)) continue;
    throw new SseOptionsError(`${what}.${name}`, 'a string, a number or a boolean', fact);
  }
  const revocation: Revocation = { revoke: facts };
  return JSON.stringify(revocation);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns a predicate for the connections that the message applies to. */
export function decodeRevocation(text: string): Predicate {
  const { revoke } = JSON.parse(text) as Partial<Revocation>;
  const facts = Object.entries(isObject(revoke) ? revoke : {});
  // It may be from another program. Without facts, it would match every connection.
  if (facts.length === 0) return () => false;
  return (connection) => facts.every(([name, fact]) => hasFact(connection, name, fact));
}
