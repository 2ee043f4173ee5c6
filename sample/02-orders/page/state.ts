// What this page knows of the shop and of its stream. It says nothing to anybody: see view.ts.
import type { Change, Order, OrdersSnapshot } from '../events.js';

/** As the shop does: beyond so many, shipped orders are forgotten. */
const MAX_ORDERS = 24;
const MAX_STORY = 30;

/** Its number changes with the shape of what is kept. */
const KEY = 'orders-1';

/** What happened to the stream. */
export type What = 'list loaded' | 'list loaded again' | 'back' | 'lost' | 'offline' | 'reloaded';

/** A line of the story. `count` and `place` belong to some of them. */
export interface Line {
  readonly at: number;
  readonly what: What;
  count: number;
  readonly place?: string | undefined;
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
  doubled: number;
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
  doubled: 0,
  story: [],
};

export const state: State = { ...NOTHING, ...load() };

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
    if (state.story[0]?.what === 'back') state.story[0].count += 1;
  }
  if (!check(data.revision)) return undefined;
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
  if (revision <= before) state.doubled += 1;
  state.missing += Math.max(0, revision - before - 1);
  state.changed = Math.max(before, revision);
  return revision > Math.max(before, state.listed);
}

function add(order: Order): void {
  state.orders.unshift(order);
  if (state.orders.length <= MAX_ORDERS) return;
  const oldest = state.orders.filter(({ status }) => status === 'shipped').at(-1);
  state.orders = state.orders.filter((one) => one !== oldest);
}

export function tell(what: What, { count = 0, place }: Partial<Line> = {}): void {
  state.story = [{ at: Date.now(), what, count, place }, ...state.story].slice(0, MAX_STORY);
}
