import { Logger } from '@nestjs/common';
import { describe, SseError, SseOptionsError } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';
import type { SseConnection } from './sse-connection.js';

/** What the `data` of a connection has to have. */
type Facts = Readonly<Record<string, string | number | boolean>>;

/** What one process says to all. */
interface Revocation {
  readonly revoke: Facts;
}

/** @throws SseError `SSE_OPTIONS` for facts that would be of everybody */
export function encodeRevocation(facts: Facts): string {
  const what = 'revokeEverywhere()';
  if (typeof facts !== 'object' || Object.keys(facts).length === 0) {
    throw new SseOptionsError(
      what,
      'at least one fact, such as { user: 7 }; for all, closeAll()',
      facts,
    );
  }
  for (const [name, fact] of Object.entries(facts)) {
    // JSON would leave anything else out, and then it would be everybody, or write `null`.
    if (['string', 'boolean'].includes(typeof fact) || Number.isFinite(fact)) continue;
    throw new SseOptionsError(`${what}.${name}`, 'a text, a number or a boolean', fact);
  }
  const revocation: Revocation = { revoke: facts };
  return JSON.stringify(revocation);
}

/** Tells whom it is about. */
export function decodeRevocation(text: string): (connection: SseConnection) => boolean {
  const { revoke } = JSON.parse(text) as Revocation;
  const facts = Object.entries(revoke);
  return ({ data }) => facts.every(([name, fact]) => data[name] === fact);
}

/** The hub over which processes tell each other. */
export interface RevocationHub {
  broadcastControl(data: string): Promise<void>;
  onControl(listener: (data: string) => void): void;
}

const logger = new Logger('Sse');

/** What this process tells all others, and hears from them. */
export class Revocations {
  private hub: RevocationHub | undefined;
  private readonly failures = new RareLine();

  connect(
    hub: RevocationHub,
    revoke: (predicate: (connection: SseConnection) => boolean) => void,
  ): void {
    this.hub = hub;
    hub.onControl((data) => revoke(decodeRevocation(data)));
  }

  /** A rejection that nobody awaits does not end the process, and is told by the log. */
  tell(facts: Facts): Promise<void> {
    const told = this.broadcast(facts);
    told.catch((error: unknown) => {
      if (this.failures.again() === 0) return;
      logger.warn(`A revocation has failed: ${describe(error)}`);
    });
    return told;
  }

  private async broadcast(facts: Facts): Promise<void> {
    const data = encodeRevocation(facts);
    if (this.hub === undefined) {
      const why = 'revokeEverywhere() has no hub to tell other processes by';
      const remedy =
        'call it once the app has started, or revoke(), which is for this process alone';
      throw new SseError('SSE_OPTIONS', `${why}; ${remedy}`);
    }
    await this.hub.broadcastControl(data);
  }
}
