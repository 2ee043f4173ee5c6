/** What a refusal says is read so far and for so long: its status counts without it. */
const MAX_REFUSAL = { length: 65_536, ms: 2_000 };

/** A body that is read part by part. */
export interface Parts {
  read(): Promise<{ readonly done?: boolean | undefined; readonly value?: Uint8Array | undefined }>;
}

/**
 * What a body may be: a web stream, Node's stream with the `fetch` of a package, or nothing that
 * can be read in parts.
 */
type AnyBody = Partial<ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>> & {
  resume?(): unknown;
};

/**
 * The parts of a body; `undefined` where `fetch` gave none, or nothing that can be read in parts.
 */
export function partsOf({ body }: Response): Parts | undefined {
  const given = body as AnyBody | null | undefined;
  // First: not every browser can iterate its streams.
  if (given?.getReader) return given.getReader();
  const iterator = given?.[Symbol.asyncIterator]?.();
  return iterator && { read: () => iterator.next() };
}

/** Whether it can be read only once, and so sent only once. */
export function isStream(body: unknown): boolean {
  const given = body as AnyBody | null | undefined;
  return !!(given?.getReader ?? given?.[Symbol.asyncIterator]);
}

/** A body that nobody reads would hold its socket. */
export async function letGo({ body }: Response): Promise<void> {
  const given = body as AnyBody | null | undefined;
  // Node's streams let go of the socket at their end, which they reach by themselves from here.
  await (given?.cancel ? given.cancel() : given?.resume?.());
}

/** The beginning of what a refusal says. The socket is let go of with the attempt. */
export async function textOf(response: Response): Promise<string> {
  let text = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    const parts = partsOf(response);
    // React Native's responses have a text and no body.
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
  // The rest may be cut.
  await Promise.race([read().catch(() => {}), late]);
  clearTimeout(timer);
  return text.slice(0, MAX_REFUSAL.length);
}
