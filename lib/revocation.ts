import type { SseConnection } from './connection.js';
import { SseOptionsError } from './errors.js';

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
