/** Browsers send its UTF-8 bytes, and none for an empty one. */
export function lastEventIdHeader(id = ''): Record<string, string> {
  return id === '' ? {} : { 'last-event-id': Buffer.from(id).toString('latin1') };
}
