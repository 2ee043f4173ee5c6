import { SseLimitError } from '../ground/errors.js';

/** The error of a room that has `state.maxKeys` entries. */
export function tooManyKeys(room: string, max: number): SseLimitError {
  const remedy = `room ${JSON.stringify(room)} is full; delete entries, give them a ttl, or set a higher limit`;
  return new SseLimitError('state.maxKeys', max, remedy, { isOption: false });
}

/** The error of an entry with which a hub would have more than `state.maxBytes`. */
export function tooManyBytes(key: string, max: number): SseLimitError {
  const remedy = `the entry ${JSON.stringify(key)} does not fit; delete others, give them a ttl, or set a higher limit`;
  return new SseLimitError('state.maxBytes', max, remedy, { isOption: false });
}
