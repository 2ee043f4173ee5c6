// Who is there: the tabs that are open, each on its process. The session storage keeps the name of
// this tab and the roster over a reload, beside the last event ID.
import type { EventStream, RoomState } from 'nestjs-eventstream/client';
import { ROOM } from '../../02-orders/events.js';
import { find, plural } from '../../02-orders/page/dom.js';
import type { OpenTab, ProcessState } from '../events.js';

/** A member for each tab and each process that it came to. */
type Roster = Record<string, { readonly data: OpenTab; readonly since: number }>;
type Entry = readonly [id: string, Roster[string]];

const NAME = 'tab-name';
const ROSTER = 'roster-1';
const ANIMALS = [
  'Crane',
  'Finch',
  'Hare',
  'Heron',
  'Ibex',
  'Lynx',
  'Mole',
  'Otter',
  'Stork',
  'Wren',
];

/** What the others call this tab. */
export const own = read(NAME) ?? newName();

/** As it was stored last; also without a storage. */
let stored = read(ROSTER);
let roster: ReadonlyMap<string, Roster[string]> = new Map();
let processes: readonly ProcessState[] = [];

/** The roster as of the last event ID, or later; `undefined` if there is none. */
export function loadRoster(): Entry[] | undefined {
  return stored === undefined ? undefined : (JSON.parse(stored) as Entry[]);
}

/** @param known with a last event ID, the roster as of that */
export function followRoster(stream: Pick<EventStream, 'stateOf'>, known?: Entry[]): void {
  // What fails is the stream, whose state is shown.
  void follow(stream.stateOf<Roster>(`sse:presence:${ROOM}`, known)).catch(() => {});
}

async function follow(state: RoomState<Roster>): Promise<void> {
  for (const changes = state.changes[Symbol.asyncIterator](); !(await changes.next()).done;) {
    roster = state;
    stored = JSON.stringify([...state]);
    write(ROSTER, stored);
    showTabs();
  }
}

export function showTabs(all = processes): void {
  processes = all;
  const tabs = openTabs();
  const isOpen = ({ pid }: OpenTab): boolean =>
    processes.some((one) => one.pid === pid && one.isAlive);
  find('there').textContent = `${plural(tabs.filter(isOpen).length, 'tab')} open, you are ${own}.`;
  for (const { number } of processes) {
    const names = tabs
      .filter((tab) => tab.process === number)
      .map((tab) => nameOf(tab, isOpen(tab)));
    const parts = names.flatMap((name, n) => (n === 0 ? [name] : [', ', name]));
    find(`tabs-process/${number}`).replaceChildren(...(parts.length === 0 ? ['no tab'] : parts));
  }
}

/** Each tab once, where it came to last: where it was before, its member may not have left yet. */
function openTabs(): OpenTab[] {
  const entries = [...roster.values()].sort((one, other) => one.since - other.since);
  return [...new Map(entries.map(({ data }) => [data.name, data])).values()];
}

/** Struck out while only the lease of a killed process holds it. */
function nameOf({ name }: OpenTab, isOpen: boolean): HTMLElement {
  const element = document.createElement(!isOpen ? 's' : name === own ? 'strong' : 'span');
  element.textContent = name;
  return element;
}

function newName(): string {
  const animal = ANIMALS[Math.floor(Math.random() * ANIMALS.length)];
  const name = `${animal} ${Math.floor(10 + Math.random() * 90)}`;
  write(NAME, name);
  return name;
}

function read(key: string): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, text: string): void {
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // Without a storage each reload is a new tab.
  }
}
