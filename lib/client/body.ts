/**
 * How much of a refusal's body is read, and for how long. The client decides by the status alone,
 * so it need not wait for the rest.
 */
const MAX_REFUSAL = { length: 65_536, ms: 2_000 };

/** A body that is read in parts. */
export interface Parts {
  read(): Promise<{ readonly done?: boolean | undefined; readonly value?: Uint8Array | undefined }>;
}

/** A web stream, a Node stream (from the `fetch` of a package), or something else. */
type AnyBody = Partial<ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>> & {
  resume?(): unknown;
};

/** The parts of a body; `undefined` if there is none or it cannot be read in parts. */
export function partsOf({ body }: Response): Parts | undefined {
  const given = body as AnyBody | null | undefined;
  // First, because not every browser can iterate web streams.
  if (given?.getReader) return given.getReader();
  const iterator = given?.[Symbol.asyncIterator]?.();
  return iterator && { read: () => iterator.next() };
}

/** Whether a request body is a stream, which can be sent only once. */
export function isStream(body: unknown): boolean {
  const given = body as AnyBody | null | undefined;
  return !!(given?.getReader ?? given?.[Symbol.asyncIterator]);
}

/** Releases an unread body, which would keep its socket. */
export async function letGo({ body }: Response): Promise<void> {
  const given = body as AnyBody | null | undefined;
  // A Node stream releases the socket at its end, which it reaches once it is resumed.
  await (given?.cancel ? given.cancel() : given?.resume?.());
}

/** The beginning of the body of a refusal. The end of the attempt releases the socket. */
export async function textOf(response: Response): Promise<string> {
  let text = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    const parts = partsOf(response);
    // Responses in React Native have `text()` but no body.
    if (!parts) {
      if (response.body !== null) text = await response.text();
      return;
    }
    while (text.length < MAX_REFUSAL.length) {
      const { done, value } = await parts.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
    }
  };
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, MAX_REFUSAL.ms);
  });
  // The rest may break off.
  await Promise.race([read().catch(() => {}), late]);
  clearTimeout(timer);
  return text.slice(0, MAX_REFUSAL.length);
}
