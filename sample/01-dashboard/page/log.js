// The events as they came: a line for each second, which opens. The newest is at the end, where
// nothing moves that somebody reads.
import { find, fromTemplate, make, timeOf } from './shared/elements.js';

const MAX_LINES = 180;
/** While somebody reads, nothing is removed above them, up to this. */
const MAX_LINES_HELD = 900;

const events = find('events');
/** By the time of their samples, oldest first. */
const lines = new Map();
/** Whether the end of the list is to be seen. Scrolling up stops it, scrolling down starts it. */
let isFollowing = true;
let isPaused = false;
let scrolledTo = 0;
let newer = 0;
let frame;

events.addEventListener('scroll', () => {
  // At its end, or on the way there.
  if (isAtEnd()) isFollowing = true;
  else if (events.scrollTop < scrolledTo) isFollowing = false;
  scrolledTo = events.scrollTop;
  settleSoon();
});
new ResizeObserver(settleSoon).observe(events);
for (const type of ['pointerleave', 'focusout']) events.addEventListener(type, settleSoon);
find('newer').addEventListener('click', () => {
  for (const open of events.querySelectorAll('[open]')) open.open = false;
  isFollowing = true;
  settleSoon();
});

export function pauseLog(shouldPause) {
  isPaused = shouldPause;
  settleSoon();
}

/** `origin`: live, replayed or state. A room has one sample for each time, which may come again. */
export function list(event, { room, at, origin, color }) {
  const line = lines.get(at) ?? addLine(at, origin);
  if (line === undefined || line.events.some((one) => one.room === room)) return;
  const id = origin === 'state' ? '' : event.lastEventId;
  line.events.push({ room, type: `${event.type} ${room}`, id, data: event.data, color });
  showLine(line);
}

function addLine(at, origin) {
  const last = [...lines.keys()].at(-1) ?? -Infinity;
  // Of a room that was added, from before the first line.
  if (at < last) return undefined;
  const element = fromTemplate('line');
  element.dataset.origin = origin;
  element.querySelector('time').textContent = timeOf(at);
  element.querySelector('.origin').textContent = origin;
  const line = { element, events: [] };
  element.firstElementChild.addEventListener('toggle', () => {
    showLine(line);
    if (element.firstElementChild.open) reveal(element);
    settleSoon();
  });
  lines.set(at, line);
  events.append(element);
  newer += 1;
  // A page that is hidden settles nothing.
  forget(MAX_LINES_HELD);
  settleSoon();
  return line;
}

function showLine({ element, events: own }) {
  const [details] = element.children;
  const dots = own.map(({ color }) => {
    const dot = make('span', 'dot');
    dot.dataset.color = color;
    return dot;
  });
  element.querySelector('.dots').replaceChildren(...dots);
  element.querySelector('.count').textContent =
    own.length === 1 ? own[0].type : `${own.length} events`;
  if (details.open) element.querySelector('ol').replaceChildren(...own.map(entryOf));
}

function entryOf({ type, id, data, color }) {
  const entry = make('li');
  entry.dataset.color = color;
  entry.append(make('span', 'type', type), make('span', 'id code', id));
  entry.append(make('code', 'json code', spaced(data)));
  return entry;
}

/** What has been opened is to be seen, from its top. */
function reveal({ offsetTop, offsetHeight }) {
  const top = offsetTop - events.offsetTop;
  if (top + offsetHeight > events.scrollTop + events.clientHeight) events.scrollTop = top;
}

/** One line of JSON that may break between its parts. */
function spaced(json) {
  return JSON.stringify(JSON.parse(json), null, 1).replaceAll(/\n\s*/g, ' ');
}

/** Once for all that arrives at the same time. */
function settleSoon() {
  frame ??= requestAnimationFrame(settle);
}

function settle() {
  frame = undefined;
  const isRead = isPaused || events.matches(':hover, :focus-within, :has([open])');
  const isHeld = isRead || !isFollowing;
  forget(isHeld ? MAX_LINES_HELD : MAX_LINES);
  if (!isHeld) {
    events.scrollTop = events.scrollHeight;
    newer = 0;
  }
  find('newer').hidden = newer === 0;
  find('newer').textContent = `${newer} newer ↓`;
}

function forget(max) {
  for (const [at, { element }] of [...lines].slice(0, Math.max(0, lines.size - max))) {
    element.remove();
    lines.delete(at);
  }
}

function isAtEnd() {
  return events.scrollHeight - events.scrollTop - events.clientHeight < 8;
}
