import type { SseConnection } from '../connection/sse-connection.js';
import { describe, SseOptionsError } from '../ground/errors.js';
import * as rules from '../options/rules.js';
import { keyProblem } from './state-key.js';

/**
 * Who a connection is in the rooms that it reads.
 * @publicApi
 */
export interface PresenceMember {
  /**
   * Connections with the same id are one member, over all processes. A text of 1 to 512 characters
   * without line breaks and NUL.
   */
  readonly id: string;
  /**
   * What others see of the member: a JSON value of at most 4 096 characters. Counts from the first
   * connection of the member until it leaves.
   * @default none
   */
  readonly data?: unknown;
}

/**
 * A member of a room, as `Broadcaster.members()` returns it.
 * @publicApi
 */
export interface RoomMember extends PresenceMember {
  /** When the member joined, in milliseconds since the Unix epoch. */
  readonly since: number;
}

/**
 * A member that joined or left a room.
 * @publicApi
 */
export interface PresenceChange {
  readonly kind: 'join' | 'leave';
  readonly room: string;
  readonly member: RoomMember;
}

/**
 * The presence of a stream's client in the rooms of the stream. Needs `member`, or `watch: true`,
 * or both.
 * @publicApi
 */
export interface PresenceOptions {
  /**
   * Returns who the client is. It is a member of all rooms of the stream while the stream is open,
   * and for `graceMs` after that. Called once per subscription, after `authorize`. `undefined`:
   * this client is no member. An error, or a wrong result, refuses the stream.
   * @default no client is a member
   */
  member?: (connection: SseConnection) => PresenceMember | undefined;
  /**
   * Sends the client who is there, and who joins and leaves: for the room `lobby`, the entries of
   * the state room `sse:presence:lobby`, by member id. `filter` and `types` do not apply to them.
   * @default false
   */
  watch?: boolean;
  /**
   * How long a member stays after its last connection has ended, so that a reconnect is neither a
   * leave nor a join. Milliseconds; 0 for none.
   * @default 10_000
   */
  graceMs?: number;
}

/** The default of `graceMs`. */
export const GRACE_MS = 10_000;

/** Every watcher gets the data of every member. */
const MAX_DATA_LENGTH = 4_096;

const checkOptions = rules.object({
  member: rules.aFunction,
  watch: rules.trueOrFalse,
  graceMs: rules.durationMsOrZero,
});

/** @throws SseOptionsError */
export const checkPresence: rules.Rule = (path, value) => {
  checkOptions(path, value);
  const { member, watch } = (value ?? { watch: true }) as PresenceOptions;
  if (member !== undefined || watch === true) return;
  throw new SseOptionsError(path, '`member`, `watch: true`, or both', value);
};

/** A member as it is kept: its data as JSON, `undefined` for none. */
export interface CheckedMember {
  readonly id: string;
  readonly json: string | undefined;
}

const PATH = 'stream().presence.member()';

/**
 * Checks what `member` returned. `undefined` if the client is no member.
 * @throws SseOptionsError
 */
export function checkedMember(
  result: unknown,
  toPlain: ((data: unknown) => unknown) | undefined,
): CheckedMember | undefined {
  if (result === undefined) return undefined;
  if (typeof result !== 'object' || result === null || result instanceof Promise) {
    throw new SseOptionsError(PATH, '{ id, data }, or undefined for no member', result);
  }
  const { id, data } = result as Partial<PresenceMember>;
  const problem = keyProblem(id);
  if (problem !== undefined || typeof id !== 'string') {
    throw new SseOptionsError(`${PATH}.id`, 'a valid id', id, problem);
  }
  if (data === undefined) return { id, json: undefined };
  const json = jsonOf(toPlain === undefined ? data : toPlain(data));
  if (json.length <= MAX_DATA_LENGTH) return { id, json };
  const length = `it has ${json.length} as JSON; send what watchers have to see of the member`;
  const expected = `at most ${MAX_DATA_LENGTH} characters`;
  throw new SseOptionsError(`${PATH}.data`, expected, data, `expected ${expected}, but ${length}`);
}

/** @throws SseOptionsError for a value that JSON cannot hold */
function jsonOf(data: unknown): string {
  let text: string | undefined;
  let problem: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (error) {
    problem = `expected a JSON value, but ${describe(error)}`;
  }
  if (text !== undefined) return text;
  throw new SseOptionsError(`${PATH}.data`, 'a JSON value', data, problem);
}
