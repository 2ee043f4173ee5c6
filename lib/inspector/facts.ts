import { Logger } from '@nestjs/common';
import { hasFact, knownIdentity } from '../connection/identify.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { describe } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';

/** The value of a fact about a connection. The page shows it, and JSON can carry it. */
export type Fact = string | number | boolean;

/** The option `facts`. */
export type FactsOption =
  false | ((connection: SseConnection) => Readonly<Record<string, Fact | undefined>>);

const MAX_FACTS = 10;
const MAX_NAME_LENGTH = 40;
const MAX_TEXT_LENGTH = 100;

const logger = new Logger('Sse');

/** Facts about a connection, such as its user. The app supplies them. */
export class Facts {
  private readonly failures = new RareLine();

  constructor(private readonly option: FactsOption = userOf) {}

  /** `data` may hold anything, and the function is the app's. */
  of(connection: SseConnection): Record<string, Fact> {
    if (this.option === false) return {};
    try {
      const facts = Object.entries<unknown>(this.option(connection)).filter(hasValue);
      return Object.fromEntries(
        facts
          .slice(0, MAX_FACTS)
          .map(([name, fact]) => [cut(name, MAX_NAME_LENGTH), cut(fact, MAX_TEXT_LENGTH)]),
      );
    } catch (error) {
      if (this.failures.again() > 0) {
        logger.warn(`The option \`facts\` of the inspector has failed: ${describe(error)}`);
      }
      return {};
    }
  }
}

/** `data` may hold secrets, so nothing else of it is shown unless the app says so. */
function userOf(connection: SseConnection): Record<string, Fact> {
  const { user, userId } = connection.data;
  const all = { user: isFact(user) ? user : knownIdentity(connection).user, userId };
  return Object.fromEntries(Object.entries(all).filter(hasValue));
}

/**
 * The fact by which the connection can be revoked: the first that it has as it is shown.
 * A boolean would be of too many connections.
 */
export function revokeBy(facts: Readonly<Record<string, Fact>>, connection: SseConnection) {
  const found = Object.entries(facts).find(
    ([name, fact]) => typeof fact !== 'boolean' && hasFact(connection, name, fact),
  );
  return found?.[0] ?? null;
}

function hasValue(entry: [string, unknown]): entry is [string, Fact] {
  return isFact(entry[1]);
}

function isFact(value: unknown): value is Fact {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

function cut(value: Fact, length: number): Fact {
  if (typeof value !== 'string' || value.length <= length) return value;
  return `${value.slice(0, length - 1)}…`;
}
