export interface Heard {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

/** Somebody else's client that reads a stream. */
export interface Client {
  /** All that it has handed over. */
  readonly heard: readonly Heard[];
  /** It has given up, or is content: it will not ask again. */
  isOver(): boolean;
  /** Of a client that does not come back by itself: a second request, with its last event ID. */
  again?(): void;
  close(): Promise<void> | void;
}

export interface Program {
  /** As the docs call it. */
  readonly name: string;
  open(url: string): Promise<Client> | Client;
  close(): Promise<void> | void;
}

/** The types that the tests send, for clients which want each by its name. */
export const TYPES = ['message', 'n', 'sse-gap'];

/** `readyState`, of the standard. */
export const CLOSED = 2;

/** For a page with the functions `hear` and `end`. */
export const eventSourceScript = (url: string): string => `
  const source = new EventSource('${url}');
  for (const type of ${JSON.stringify(TYPES)}) {
    source.addEventListener(type, ({ data, lastEventId: id }) => hear({ type, data, id }));
  }
  source.onerror = () => { if (source.readyState === ${CLOSED}) end(); };`;
