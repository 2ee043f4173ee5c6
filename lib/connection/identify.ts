import { SseOptionsError } from '../ground/errors.js';
import { isWellFormed } from '../ground/well-formed.js';
import * as rules from '../options/rules.js';
import type { Identity } from './identity.js';
import type { SseConnection } from './sse-connection.js';

/**
 * Says whose a connection is. Called once per connection, after guards, when it is needed for the
 * first time. Synchronous: read what a guard has put on the request.
 * @example `identify: ({ request }) => ({ user: request.user.id, client: request.query.tab })`
 * @publicApi
 */
export type Identify = (connection: SseConnection) => Identity | undefined;

/** A room's name has place for the id of a user. */
const MAX_ID_LENGTH = 200;

/** What an id has to be. */
export const ID_EXPECTED = `a text of 1 to ${MAX_ID_LENGTH} characters`;

/** Whether it may be the id of a user or a client. */
export function isId(value: unknown): value is string {
  const isText = typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH;
  // Redis keys are UTF-8, where all lone surrogates are equal.
  return isText && isWellFormed(value);
}

const id = rules.rule(ID_EXPECTED, isId);

const checkIdentity = rules.object({ user: id, client: id });

/** What a connection without an identity has. */
export const NOBODY: Identity = Object.freeze({});

/**
 * Calls the option `identify`.
 * @throws SseOptionsError for a wrong answer; what `identify` throws
 */
export function identityOf(identify: Identify, connection: SseConnection): Identity {
  const answer: unknown = identify(connection);
  if (answer === undefined) return NOBODY;
  if (answer instanceof Promise) {
    // Nobody else awaits it.
    answer.catch(() => {});
    throw new SseOptionsError('identify()', 'an object or undefined, not a promise', answer);
  }
  checkIdentity('identify()', answer);
  const { user, client } = answer as Identity;
  return Object.freeze({ user, client });
}

/**
 * Whether a fact is true of a connection: of its `data`, or for `user` and `client` of its
 * identity.
 */
export function hasFact(connection: SseConnection, name: string, fact: unknown): boolean {
  if (connection.data[name] === fact) return true;
  return (name === 'user' || name === 'client') && knownIdentity(connection)[name] === fact;
}

/** Like `connection.identity`, for code about many connections: one that fails has none. */
export function knownIdentity(connection: SseConnection): Identity {
  try {
    return connection.identity ?? NOBODY;
  } catch {
    return NOBODY;
  }
}
