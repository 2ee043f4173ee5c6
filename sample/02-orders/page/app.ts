// From the stream and the buttons to what the page knows.
import { connect, type EventStream, type StreamState } from 'nestjs-eventstream/client';
import type { Change, Connected, OrderEvents, Revision } from '../events.js';
import { find } from './dom.js';
import {
  knownRevision,
  now,
  save,
  state,
  takeChange,
  takeGap,
  takeReturn,
  takeSnapshot,
  tell,
  type Line,
  type What,
} from './state.js';
import { showAll, showConnection, showCountdown, showOrder, showRest } from './view.js';

const OFFLINE_S = 5;

let stream: EventStream<OrderEvents>;
/** This connection, as the server calls it. */
let connection: string;
/** Changes up to this revision happened before this connection. */
let missedUntil = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

const users: ((stream: EventStream<OrderEvents>) => void)[] = [
  (opened) => {
    opened.onState(onState);
    opened.on('connected', ({ data }) => onConnected(data));
    opened.on('orders', ({ data }) => {
      // The first thing for a client that is new, and what follows a gap.
      takeSnapshot(data);
      save();
      showAll();
    });
    opened.on('sse-gap', onGap);
    opened.on('created', onChange);
    opened.on('changed', onChange);
    opened.on('shop', onChange);
  },
];

onLive('drop', () => void ask(`connections/${connection}/drop`));
onLive('shop', () => void ask(`shop/${state.isOpen ? 'pause' : 'resume'}`));
find('offline').addEventListener('click', () =>
  now.connection === 'offline' ? open() : goOffline(),
);
find('again').addEventListener('click', open);
find('understood').addEventListener('click', () => (find('note').hidden = true));

// A page that is left loses its stream, which does not belong in the log. The browser may show the
// page again as it was.
addEventListener('pagehide', () => stream.close());
addEventListener('pageshow', ({ persisted }) => persisted && open());

if (state.cursor !== '') remember('reloaded');
showAll();
open();

function open(): void {
  clearTimeout(timer);
  // A new stream does not know where the last one stopped; one that reconnects by itself does.
  stream = connect<OrderEvents>('events', { lastEventId: state.cursor || undefined });
  for (const use of users) use(stream);
}

/** A button that does something only while the stream is live. */
export function onLive(id: string, act: () => void): void {
  find(id).addEventListener('click', () => now.connection === 'live' && act());
}

/** For a page that shows more: what it does with this stream, and with those that follow it. */
export function useStream(use: (stream: EventStream<OrderEvents>) => void): void {
  users.push(use);
  use(stream);
}

function onState(to: StreamState, error?: Error): void {
  const before = now.connection;
  if (to === 'open') showConnection('live');
  if (to === 'connecting' && before !== 'reconnecting') showConnection('connecting');
  if (to === 'waiting') {
    if (before === 'live') remember('lost', { place: now.place });
    showConnection('reconnecting');
  }
  // Without an error it is this page that has closed the stream.
  if (to === 'closed' && error !== undefined) showConnection('refused');
}

function onConnected({ connection: id, revision, place }: Connected): void {
  connection = id;
  missedUntil = revision;
  now.place = place;
  if (state.cursor !== '') takeReturn(place);
  save();
  showRest();
}

function onGap(): void {
  takeGap();
  find('note').hidden = false;
}

function onChange(event: Change & { readonly id: string | undefined }): void {
  const wasMissed = event.data.revision <= missedUntil;
  const order = takeChange(event, event.id ?? state.cursor, wasMissed);
  save();
  if (order !== undefined) showOrder(order, wasMissed);
  showRest();
}

/** Closes the stream, as if there were no network. A new one begins where this one stopped. */
function goOffline(): void {
  stream.close();
  remember('offline');
  now.waiting = undefined;
  showConnection('offline');
  countDown(OFFLINE_S);
}

function countDown(seconds: number): void {
  if (seconds === 0) return open();
  showCountdown(seconds);
  void countWaiting();
  timer = setTimeout(() => countDown(seconds - 1), 1_000);
}

/** The one thing that this page asks while its stream is closed: how much it is missing. */
async function countWaiting(): Promise<void> {
  try {
    const { revision } = (await (await fetch('revision')).json()) as Revision;
    now.waiting = Math.max(0, revision - knownRevision());
  } catch {
    now.waiting = undefined;
  }
  showRest();
}

export async function ask(path: string): Promise<void> {
  try {
    await fetch(path, { method: 'POST' });
  } catch {
    // The server is away. The state of the connection says so already.
  }
}

export function remember(what: What, line?: Partial<Line>): void {
  tell(what, line);
  save();
  showRest();
}
