import { Logger } from '@nestjs/common';
import type { RevocationChannel } from '../connection/registry.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { describe, SseOptionsError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { LoggedEvent } from '../log/event.js';
import type { NewEvent } from '../log/event-log.js';
import { encodeBody, type SseMessage } from '../wire/frame.js';

/** Apps can neither publish to this room nor read it. */
export const CONTROL_ROOM = 'sse:control';

/** What the `data` of a connection has to have. */
type Facts = Parameters<RevocationChannel['revoke']>[0];

type Predicate = (connection: SseConnection) => boolean;

/** What one process says to all. */
interface Revocation {
  readonly revoke: Facts;
}

const logger = new Logger('Sse');

/**
 * What the processes that share the log of a hub tell each other. Their messages are events of a
 * room of the log, so they come in order, and a process that was cut off gets them when it is back.
 */
export class ControlChannel implements RevocationChannel {
  private revoked: ((isMeant: Predicate) => void) | undefined;
  private readonly failures = new RareLine();

  constructor(private readonly append: (event: NewEvent) => Promise<unknown>) {}

  /** A rejection that nobody awaits does not end the process, and is logged. */
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

  /** There is one listener: a second replaces the first. */
  onRevoke(listener: (isMeant: Predicate) => void): void {
    this.revoked = listener;
  }

  /** A message of this or another process has come. */
  receive({ message }: LoggedEvent): void {
    this.revoked?.(decodeRevocation(String(message.data)));
  }

  /** Messages did not reach this process, and will not. */
  lost(): void {
    logger.warn('Revocations may not have reached this process; revoke again what matters');
  }
}

/** @throws SseOptionsError for facts that would be of everybody */
export function encodeRevocation(facts: Facts): string {
  const what = 'revokeEverywhere()';
  if (typeof facts !== 'object' || Object.keys(facts).length === 0) {
    throw new SseOptionsError(
      what,
      'at least one fact, such as { user: 7 }; to close all streams, call closeAll()',
      facts,
    );
  }
  for (const [name, fact] of Object.entries(facts)) {
    // JSON would leave anything else out, and then it would be everybody, or write `null`.
    if (['string', 'boolean'].includes(typeof fact) || Number.isFinite(fact)) continue;
    throw new SseOptionsError(`${what}.${name}`, 'a string, a number or a boolean', fact);
  }
  const revocation: Revocation = { revoke: facts };
  return JSON.stringify(revocation);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Answers for which connections it is meant. */
export function decodeRevocation(text: string): Predicate {
  const { revoke } = JSON.parse(text) as Partial<Revocation>;
  const facts = Object.entries(isObject(revoke) ? revoke : {});
  // Another program may have sent it. Without a fact it would be everybody.
  if (facts.length === 0) return () => false;
  return ({ data }) => facts.every(([name, fact]) => data[name] === fact);
}
