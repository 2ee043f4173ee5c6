import { StoredEvent, storedForm, type StoredForm } from '../log/event-text.js';
import type { RoomEntries } from '../log/entries.js';
import type { LoggedEvent } from '../log/event.js';
import { dataStart } from '../wire/frame.js';

export type RunEvent = LoggedEvent & { readonly position: number };

/**
 * A message in a page: how far its position is from the one before, its wire text, its form. Or, as
 * that is shorter, its data as JSON, with the fields before it.
 */
type PageItem =
  | readonly [after: number, body: string, ...form: StoredForm]
  | readonly [after: number, body: readonly [data: unknown, fields?: string]];

/** The value of a page: an entry in the room of a run. */
export interface Page {
  readonly epoch: string;
  /** How many messages all pages had together when this one was written. */
  readonly total: number;
  readonly items: readonly PageItem[];
}

interface StoredPage {
  readonly key: string;
  readonly value: Page;
}

/** The characters of wire text after which a page is full. */
const PAGE_LENGTH = 16_384;

const KEY = 'page:';

const DATA = 'data: ';

const FIRST_KEY = `${KEY}0`;

/** Most runs have one page, and they share its key. */
export const pageKey = (no: number): string => (no === 0 ? FIRST_KEY : KEY + no);

/** The number in the key of a page. */
const pageNo = (key: string): number => Number(key.slice(KEY.length));

function pageOf(events: readonly RunEvent[], total: number): Page {
  let before = 0;
  const items = events.map((event): PageItem => {
    const after = event.position - before;
    before = event.position;
    const form = storedForm(event.message);
    const json = form.length === 0 ? jsonIn(event.body) : undefined;
    return json === undefined ? [after, event.body, ...form] : [after, json];
  });
  return { epoch: events[0]?.epoch ?? '', total, items };
}

/** Data in one line that is the same text after it was read as JSON, and written again. */
function jsonIn(body: string): [data: unknown, fields?: string] | undefined {
  const at = dataStart(body);
  if (at === -1 || body.indexOf('\n', at) !== body.length - 1) return undefined;
  const text = body.slice(at + DATA.length, -1);
  try {
    const data: unknown = JSON.parse(text);
    if (JSON.stringify(data) !== text) return undefined;
    return at === 0 ? [data] : [data, body.slice(0, at)];
  } catch {
    return undefined;
  }
}

function eventsOf({ epoch, items }: Page, room: string): RunEvent[] {
  let position = 0;
  return items.map(([after, body, ...form]) => {
    position += after;
    if (typeof body === 'string') return StoredEvent.ofForm(epoch, position, [room], body, form);
    const [data, fields = ''] = body;
    const text = `${fields}${DATA}${JSON.stringify(data)}\n`;
    return StoredEvent.ofForm(epoch, position, [room], text, []);
  });
}

/** Written before the first message, so that readers know where the messages begin. */
export const FIRST_PAGE: Page = { epoch: '', total: 0, items: [] };
/** Another start may have been first: then nobody writes it again. */
export const FIRST_PAGE_TTL = { ttlMs: 60_000 };

/** What the pages of a run hold, in the order of the messages. */
export function readPages(
  stored: RoomEntries | undefined,
  room: string,
):
  | { readonly events: RunEvent[]; readonly newest: RunEvent; readonly isWhole: boolean }
  | undefined {
  const newest = stored?.events.at(-1);
  if (stored === undefined || newest === undefined) return undefined;
  const { value } = newest.message.data as StoredPage;
  const pages = stored.events.map(({ message }) => message.data as StoredPage);
  pages.sort((one, other) => pageNo(one.key) - pageNo(other.key));
  const events = pages.flatMap((page) => eventsOf(page.value, room));
  // In a new epoch all pages are written again, and some may be missing until then.
  const isWhole = newest.epoch === stored.epoch && events.length === value.total;
  return { events, newest, isWhole };
}

/** The messages of a run in pages. A page has one epoch. */
export class Pages {
  private readonly pages: RunEvent[][] = [[]];
  private length = 0;
  count = 0;

  add(event: RunEvent): void {
    const last = this.pages.at(-1)?.[0];
    if (this.length >= PAGE_LENGTH || (last !== undefined && last.epoch !== event.epoch)) {
      this.pages.push([]);
      this.length = 0;
    }
    this.pages.at(-1)?.push(event);
    this.length += event.body.length;
    this.count++;
  }

  /** The pages from a number on, with their numbers. */
  from(no: number): [no: number, page: Page][] {
    return this.pages.slice(no).map((events, n) => [no + n, pageOf(events, this.count)]);
  }

  get last(): number {
    return this.pages.length - 1;
  }
}
