import { ROOMS } from './events.js';

/** For the list of all samples. */
export function figure(): string {
  return `${ROOMS.length} rooms, ${ROOMS.length} events a second`;
}
