import { SseOptionsError } from '../ground/errors.js';
import { warnOfUnmatchedRoom } from '../ground/warnings.js';
import { RoomPattern } from '../options/room-pattern.js';
import { isPromise, type Authorize, type Authorized } from './authorization.js';
import type { SseConnection } from './sse-connection.js';

/**
 * Decides whether a connection may read one room whose name matches a pattern. `params` has the
 * parts of the name that the pattern names. Otherwise as `Authorize`.
 * @publicApi
 */
export type AuthorizeRoom = (
  connection: SseConnection,
  params: Readonly<Record<string, string>>,
  room: string,
) => Authorized | Promise<Authorized>;

/**
 * Who may read rooms, by patterns of their names. `true` allows everybody. In a pattern, `:name`
 * matches one part of a name, and everything else only itself; `.`, `:`, `/` and a space end a
 * part. A pattern without parameters precedes the others, which are tried in their order.
 *
 * All rooms of a stream have to be allowed, and the earliest `until` counts. A room that matches no
 * pattern is refused.
 * @example
 * ```ts
 * authorize: {
 *   news: true,
 *   'project.:id': ({ data }, { id }) => data['project'] === id,
 * }
 * ```
 * @publicApi
 */
export interface AuthorizeRooms {
  readonly [pattern: string]: true | AuthorizeRoom;
}

interface Rule {
  readonly pattern: RoomPattern;
  readonly rule: true | AuthorizeRoom;
}

/**
 * The rule of the option `authorize`.
 * @throws SseOptionsError
 */
export function checkAuthorize(path: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') rulesOf(path, value);
}

/**
 * The function that an option `authorize` means.
 * @throws SseOptionsError
 */
export function authorizeBy(
  option: Authorize | AuthorizeRooms | undefined,
  path = 'authorize',
): Authorize | undefined {
  if (option === undefined || typeof option === 'function') return option;
  const rules = rulesOf(path, option);
  const names = new Map(
    rules.filter(({ pattern }) => pattern.isName).map((rule) => [rule.pattern.text, rule]),
  );
  const others = rules.filter(({ pattern }) => !pattern.isName);

  const answerFor = (connection: SseConnection, room: string) => {
    const { rule } = names.get(room) ?? {};
    if (rule !== undefined) return rule === true || rule(connection, {}, room);
    for (const { pattern, rule: other } of others) {
      const params = pattern.match(room);
      if (params !== undefined) return other === true || other(connection, params, room);
    }
    warnOfUnmatchedRoom(
      room,
      rules.map(({ pattern }) => pattern.text),
    );
    return false;
  };
  return (connection, rooms) => {
    const answers: Authorized[] = [];
    for (const [n, room] of rooms.entries()) {
      const answer = answerFor(connection, room);
      if (isPromise(answer)) {
        const rest = rooms.slice(n + 1).map(async (other) => answerFor(connection, other));
        return Promise.all([answer, ...rest]).then((later) => allOf([...answers, ...later]));
      }
      answers.push(answer);
    }
    return allOf(answers);
  };
}

function rulesOf(path: string, value: unknown): Rule[] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries: [string, unknown][] = isObject ? Object.entries(value) : [];
  if (entries.length === 0) {
    throw new SseOptionsError(path, 'a function, or an object with a rule for each pattern', value);
  }
  return entries.map(([text, rule]) => {
    const at = `${path}[${JSON.stringify(text)}]`;
    const pattern = new RoomPattern(at, text);
    if (!isRule(rule)) throw new SseOptionsError(at, 'true or a function', rule);
    return { pattern, rule };
  });
}

function isRule(value: unknown): value is Rule['rule'] {
  return value === true || typeof value === 'function';
}

/** Untyped code may answer anything. Everything but true and an object means no. */
function allOf(answers: readonly Authorized[]): Authorized {
  let end: number | undefined;
  for (const answer of answers) {
    if (answer === true) continue;
    if (typeof answer !== 'object' || answer === null) return false;
    // A time that is no number stays one: it is refused where it is applied.
    if (answer.until !== undefined) end = Math.min(end ?? Infinity, Number(answer.until));
  }
  return end === undefined || { until: end };
}
