const NO_BODY: readonly number[] = [204, 205, 304];

/**
 * Whether a response with this status can have content.
 * https://www.rfc-editor.org/rfc/rfc9110#name-status-codes
 */
export function hasBody(status: number): boolean {
  return status >= 200 && !NO_BODY.includes(status);
}

/** The media ranges that include event streams. The most specific one in the header counts. */
const RANGES = ['*/*', 'text/*', 'text/event-stream'];

/**
 * Whether an `Accept` header allows `text/event-stream`. A missing or unreadable header allows it.
 * https://www.rfc-editor.org/rfc/rfc9110#name-accept
 * @example `if (!acceptsEventStream(request.headers.accept)) return this.orders.list();`
 * @publicApi
 */
export function acceptsEventStream(accept: string | undefined): boolean {
  // What clients of event streams send.
  if (accept === 'text/event-stream') return true;
  let exactness = -1;
  let quality = 0;
  let isEmpty = true;
  for (const part of (accept ?? '').split(',')) {
    const [range = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    if (!range.includes('/')) continue;
    isEmpty = false;
    const exact = RANGES.indexOf(range);
    const q = Number(parameters.find((text) => text.startsWith('q='))?.slice(2) || 1);
    if (exact > exactness || (exact === exactness && q > quality)) {
      exactness = exact;
      quality = q;
    }
  }
  return isEmpty || (exactness >= 0 && quality > 0);
}

/**
 * Whether a handler answered with a status that has no body. The `declared` status of `@HttpCode()`
 * does not count: with it, no stream could ever begin.
 */
export function isWithoutBody(status: number, declared: number): boolean {
  return status !== declared && NO_BODY.includes(status);
}
