// What this page knows of the shop and of its stream. It says nothing to anybody: see view.js.

/** As the shop does: beyond so many, shipped orders are forgotten. */
const MAX_ORDERS = 24;
const MAX_STORY = 30;

/** Its number changes with the shape of what is kept. */
const KEY = 'orders-1';

const NOTHING = {
  /** Where a new EventSource goes on from. */
  cursor: '',
  isOpen: true,
  orders: [],
  /** The revision of the last snapshot, and of the last change since then. */
  listed: 0,
  changed: undefined,
  received: 0,
  replayed: 0,
  snapshots: 0,
  gaps: 0,
  missing: 0,
  doubled: 0,
  /** What happened to the stream, newest first. */
  story: [],
};

export const state = { ...NOTHING, ...load() };

/**
 * The session storage, which belongs to this tab: the list and the cursor are one thing. In the local storage, which all
 * tabs share, one tab's cursor would stand beside another's list. And a list of last week would only end in a gap.
 */
function load() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** The cursor with the list that it stands for, in one write, so that a reload cannot get between them. */
export function save() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Without a storage a reload begins with a snapshot, and all else works.
  }
}

/** The whole list: what was known before does not count any more. */
export function takeSnapshot({ reason, cursor, revision, isOpen, orders }) {
  Object.assign(state, { cursor, isOpen, orders, listed: revision, changed: undefined });
  state.snapshots += 1;
  tell(reason === 'gap' ? 'list loaded again' : 'list loaded', { count: orders.length });
}

/** A change of the shop. Answers whether the list is another one now. */
export function takeChange(type, change, cursor, wasMissed) {
  state.received += 1;
  state.cursor = cursor;
  if (wasMissed) {
    state.replayed += 1;
    if (state.story[0]?.what === 'back') state.story[0].count += 1;
  }
  if (!check(change.revision)) return false;
  if (type === 'shop') state.isOpen = change.isOpen;
  if (type === 'created') add(change);
  if (type === 'changed') {
    state.orders = state.orders.map((order) => (order.no === change.no ? change : order));
  }
  return state.orders.includes(change);
}

/**
 * Each change raises the revision by one: a hole is an event that is missing, and a step back is one that came twice.
 * Answers whether the change is new. One that came while the snapshot was made may be in both, which is no fault.
 */
function check(revision) {
  const before = state.changed ?? Math.min(state.listed, revision - 1);
  if (revision <= before) state.doubled += 1;
  state.missing += Math.max(0, revision - before - 1);
  state.changed = Math.max(before, revision);
  return revision > Math.max(before, state.listed);
}

function add(order) {
  state.orders.unshift(order);
  if (state.orders.length <= MAX_ORDERS) return;
  const oldest = state.orders.findLastIndex(({ status }) => status === 'shipped');
  if (oldest >= 0) state.orders.splice(oldest, 1);
}

/** A line of the story. `count` and `place` belong to some of them. */
export function tell(what, { count = 0, place } = {}) {
  state.story = [{ at: Date.now(), what, count, place }, ...state.story].slice(0, MAX_STORY);
}
