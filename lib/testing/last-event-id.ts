/** Encodes the header as browsers do: as UTF-8 bytes, and no header for an empty id. */
export function lastEventIdHeader(id = ''): Record<string, string> {
  return id === '' ? {} : { 'last-event-id': Buffer.from(id).toString('latin1') };
}
