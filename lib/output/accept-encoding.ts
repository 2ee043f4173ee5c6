/**
 * Whether a client with this `Accept-Encoding` prefers gzip to plain text. Without the header,
 * plain text is the safe answer.
 * https://www.rfc-editor.org/rfc/rfc9110#name-accept-encoding
 */
export function acceptsGzip(header: string | undefined): boolean {
  const quality = new Map<string, number>();
  for (const part of (header ?? '').split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const q = parameters.find((text) => text.startsWith('q='))?.slice(2);
    quality.set(coding, q === undefined ? 1 : Number(q));
  }
  const gzip = quality.get('gzip') ?? quality.get('x-gzip') ?? quality.get('*') ?? 0;
  return gzip > 0 && gzip >= (quality.get('identity') ?? 0);
}
