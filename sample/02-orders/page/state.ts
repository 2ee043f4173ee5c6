// What this page knows of the shop and of its stream. view.ts shows it.
import type { Change, Order, OrdersSnapshot } from '../events.js';

/** As the shop does: beyond so many, shipped orders are forgotten. */
const MAX_ORDERS = 24;
const MAX_STORY = 30;

/** Its number changes with the shape of what is kept. */
const KEY = 'orders-2';

/** What happened to the stream. The last two are for a server with Redis. */
export type What =
  | 'list loaded'
  | 'list loaded again'
  | 'back'
  | 'lost'
  | 'offline'
  | 'reloaded'
  | 'redis away'
  | 'redis back';

/** A line of the log. */
export interface Line {
  readonly at: number;
  readonly what: What;
  /** Orders, missed events or seconds. */
  count?: number | undefined;
  /** The process that serves the stream, if there are several. */
  readonly place?: string | undefined;
  /** Of `redis back`: whether the next event followed on the last one. */
  isWhole?: boolean;
}

/** The latest return: what the page asked for, and what it got. */
export interface Return {
  /** The last event ID that it sent. */
  readonly after: string;
  readonly place?: string | undefined;
  replayed: number;
  /** The history was gone, so the whole list came. */
  hadGap: boolean;
}

interface State {
  /** Where a new stream goes on from. */
  cursor: string;
  isOpen: boolean;
  orders: Order[];
  /** The revision of the last snapshot, and of the last change since then. */
  listed: number;
  changed?: number | undefined;
  received: number;
  replayed: number;
  snapshots: number;
  gaps: number;
  missing: number;
  duplicated: number;
  latestReturn?: Return | undefined;
  /** Newest first. */
  story: Line[];
}

const NOTHING: State = {
  cursor: '',
  isOpen: true,
  orders: [],
  listed: 0,
  received: 0,
  replayed: 0,
  snapshots: 0,
  gaps: 0,
  missing: 0,
  duplicated: 0,
  story: [],
};

export const state: State = { ...NOTHING, ...load() };

type Connection = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'refused';

/** The stream as it is at this moment. It does not survive a reload. */
export const now: {
  connection: Connection;
  /** The process that serves it, if there are several. */
  place?: string | undefined;
  /** How many changes happened since this page closed its stream, if it knows. */
  waiting?: number | undefined;
  /** Redis is away, so nothing comes. */
  isHeldBack: boolean;
} = { connection: 'connecting', isHeldBack: false };

/**
 * The session storage, which belongs to this tab: the list and the cursor are one thing. In the
 * local storage, which all tabs share, one tab's cursor would stand beside another's list. And a
 * list of last week would only end in a gap.
 */
function load(): State | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as State | null;
  } catch {
    return null;
  }
}

/**
 * The cursor with the list that it stands for, in one write, so that a reload cannot get between
 * them.
 */
export function save(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Without a storage a reload begins with a snapshot, and all else works.
  }
}

/** The whole list: what was known before does not count any more. */
export function takeSnapshot({ reason, cursor, revision, isOpen, orders }: OrdersSnapshot): void {
  Object.assign(state, { cursor, isOpen, orders, listed: revision, changed: undefined });
  state.snapshots += 1;
  tell(reason === 'gap' ? 'list loaded again' : 'list loaded', { count: orders.length });
}

/** A change of the shop. Answers the order that is another one now, if it is in the list. */
export function takeChange(
  { type, data }: Change,
  cursor: string,
  wasMissed: boolean,
): Order | undefined {
  state.received += 1;
  state.cursor = cursor;
  if (wasMissed) {
    state.replayed += 1;
    if (state.latestReturn !== undefined) state.latestReturn.replayed += 1;
    if (state.story[0]?.what === 'back') state.story[0].count = state.latestReturn?.replayed;
  }
  const isNew = check(data.revision);
  for (const line of state.story) {
    if (line.what === 'redis back') line.isWhole ??= isWhole();
  }
  if (!isNew) return undefined;
  if (type === 'shop') {
    state.isOpen = data.isOpen;
    return undefined;
  }
  if (type === 'created') add(data);
  else state.orders = state.orders.map((order) => (order.no === data.no ? data : order));
  return state.orders.includes(data) ? data : undefined;
}

/**
 * Each change raises the revision by one: a hole is an event that is missing, and a step back is
 * one that came twice. Answers whether the change is new. One that came while the snapshot was made
 * may be in both, which is no fault.
 */
function check(revision: number): boolean {
  const before = state.changed ?? Math.min(state.listed, revision - 1);
  if (revision <= before) state.duplicated += 1;
  state.missing += Math.max(0, revision - before - 1);
  state.changed = Math.max(before, revision);
  return revision > Math.max(before, state.listed);
}

/** Nothing is missing, and nothing came twice. */
export const isWhole = (): boolean => state.missing + state.duplicated === 0;

/** The newest change that is in the list. */
export const knownRevision = (): number => Math.max(state.listed, state.changed ?? 0);

function add(order: Order): void {
  state.orders.unshift(order);
  if (state.orders.length <= MAX_ORDERS) return;
  const oldest = state.orders.filter(({ status }) => status === 'shipped').at(-1);
  state.orders = state.orders.filter((one) => one !== oldest);
}

export function tell(what: What, { count, place }: Partial<Line> = {}): void {
  state.story = [{ at: Date.now(), what, count, place }, ...state.story].slice(0, MAX_STORY);
}

/** The stream goes on from the cursor. */
export function takeReturn(place?: string): void {
  state.latestReturn = { after: state.cursor, place, replayed: 0, hadGap: false };
  tell('back', { count: 0, place });
}

export function takeGap(): void {
  state.gaps += 1;
  if (state.latestReturn !== undefined) state.latestReturn.hadGap = true;
  // It is back, but not where it was.
  if (state.story[0]?.what === 'back') state.story.shift();
}
