// From the stream and the buttons to what the page knows.
import { connect, type EventStream, type StreamState } from 'nestjs-eventstream/client';
import type { Change, Connected, OrderEvents } from '../events.js';
import { save, state, takeChange, takeSnapshot, tell, type What } from './state.js';
import { find, showAll, showConnection, showCountdown, showOrder, showRest } from './view.js';

const OFFLINE_S = 5;

let stream: EventStream<OrderEvents>;
/** This connection, as the server calls it. */
let connection: string;
/** Changes up to this revision happened before this connection. */
let missedUntil = 0;

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

find('drop').addEventListener('click', () => void ask(`connections/${connection}/drop`));
find('shop').addEventListener('click', () => {
  void ask(`shop/${state.isOpen ? 'pause' : 'resume'}`);
});
find('offline').addEventListener('click', goOffline);
find('again').addEventListener('click', open);
find('understood').addEventListener('click', () => (find('note').hidden = true));

// A page that is left loses its stream, which is no part of the story. It may be shown again as it
// was.
addEventListener('pagehide', () => stream.close());
addEventListener('pageshow', ({ persisted }) => persisted && open());

if (state.cursor !== '') remember('reloaded');
showAll();
open();

function open(): void {
  // A new stream does not know where the last one stood. When it comes back by itself it does.
  stream = connect<OrderEvents>('events', { lastEventId: state.cursor || undefined });
  for (const use of users) use(stream);
}

/** For a page that shows more: what it does with this stream, and with those that follow it. */
export function useStream(use: (stream: EventStream<OrderEvents>) => void): void {
  users.push(use);
  use(stream);
}

function onState(now: StreamState, error?: Error): void {
  const before = document.body.dataset['state'];
  if (now === 'open') showConnection('open');
  if (now === 'connecting' && before !== 'reconnecting') showConnection('connecting');
  if (now === 'waiting') {
    if (before === 'open') remember('lost');
    showConnection('reconnecting');
  }
  // Refused: without an error it is this page that has left.
  if (now === 'closed' && error !== undefined) showConnection('closed');
}

function onConnected({ connection: id, revision, place }: Connected): void {
  connection = id;
  missedUntil = revision;
  if (state.cursor !== '') remember('back', place);
}

function onGap(): void {
  state.gaps += 1;
  // It is back, but not where it was.
  if (state.story[0]?.what === 'back') state.story.shift();
  find('note').hidden = false;
}

function onChange(event: Change & { readonly id: string | undefined }): void {
  const wasMissed = event.data.revision <= missedUntil;
  const order = takeChange(event, event.id ?? state.cursor, wasMissed);
  save();
  if (order !== undefined) showOrder(order, wasMissed);
  showRest();
}

/**
 * As if there were no network: nothing comes, and afterwards a new stream begins where this one
 * stopped.
 */
function goOffline(): void {
  stream.close();
  remember('offline');
  showConnection('offline');
  countDown(OFFLINE_S);
}

function countDown(seconds: number): void {
  if (seconds === 0) return open();
  showCountdown(seconds);
  setTimeout(() => countDown(seconds - 1), 1_000);
}

export async function ask(path: string): Promise<void> {
  try {
    await fetch(path, { method: 'POST' });
  } catch {
    // The server is away, which the state of the connection says already.
  }
}

function remember(what: What, place?: string): void {
  tell(what, { place });
  save();
  showRest();
}
