import { Logger } from '@nestjs/common';

const logger = new Logger('Sse');
const warned = new Set<string>();

/** Types that mean something else at the client already: they are sent, with one warning each. */
export function warnOfReservedType(type: string | undefined): void {
  if (type === undefined || (type !== 'error' && type !== 'open' && !type.startsWith('sse-')))
    return;
  if (warned.has(type) || warned.size >= 100) return;
  warned.add(type);
  logger.warn(
    type.startsWith('sse-')
      ? `The event type "${type}" is kept for this library's own events; choose a name without "sse-"`
      : `The event type "${type}" also runs on${type} of an EventSource; choose another name`,
  );
}
