// From the stream and the buttons to what the page knows.
import type { EventStream, StreamEvent, StreamState } from 'nestjs-eventstream/client';
import {
  RevisionSchema,
  type Change,
  type Connected,
  type OrderEvents,
  type OrdersSnapshot,
} from '../events.js';
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

/** Opens a stream after this event, or at the beginning. */
type Connect = (lastEventId: string | undefined) => Stream;
type Stream = Pick<EventStream, 'onState' | 'close'>;

let connect: Connect;
let stream: Stream;
/** This connection, as the server calls it. */
let connection: string;
/** Changes up to this revision happened before this connection. */
let missedUntil = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

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

export function start(connectTo: Connect): void {
  connect = connectTo;
  if (state.cursor !== '') remember('reloaded');
  showAll();
  open();
}

function open(): void {
  clearTimeout(timer);
  stream = connect(state.cursor || undefined);
  stream.onState(onState);
}

export function takeEvent(event: StreamEvent<OrderEvents>): void {
  switch (event.type) {
    case 'connected':
      return onConnected(event.data);
    case 'orders':
      return onList(event.data);
    case 'created':
    case 'changed':
    case 'shop':
      return onChange(event);
    case 'sse-gap':
      return onGap();
  }
}

/** A button that does something only while the stream is live. */
export function onLive(id: string, act: () => void): void {
  find(id).addEventListener('click', () => now.connection === 'live' && act());
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

/** The first thing for a client that is new, and what follows a gap. */
function onList(list: OrdersSnapshot): void {
  takeSnapshot(list);
  save();
  showAll();
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
    const { revision } = RevisionSchema.parse(await (await fetch('revision')).json());
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
