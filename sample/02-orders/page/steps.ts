// The story in three steps, of which one is lit: live, away, back.
import { find, plural, write } from './dom.js';
import { isWhole, now, state } from './state.js';

type Step = 'live' | 'away' | 'back';

const STEPS: Step[] = ['live', 'away', 'back'];

/** Where the stream is, for a page whose server has several processes. */
interface Places {
  live: () => string | undefined;
  lost: () => string | undefined;
  back: () => string | undefined;
}

let places: Places = { live: () => undefined, lost: () => undefined, back: () => undefined };

export function namePlaces(names: Places): void {
  places = names;
}

export function showSteps(): void {
  const step = stepNow();
  for (const name of STEPS) {
    const item = find(`step-${name}`);
    item.dataset['is'] = relation(name, step);
    if (name === step) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
    write(item, '.step-text', TEXTS[name](step));
  }
}

function stepNow(): Step {
  if (now.connection === 'offline' || now.connection === 'reconnecting') return 'away';
  return state.latestReturn === undefined ? 'live' : 'back';
}

function relation(name: Step, step: Step): 'now' | 'done' | 'next' {
  if (name === step) return 'now';
  return STEPS.indexOf(name) < STEPS.indexOf(step) ? 'done' : 'next';
}

const TEXTS: Record<Step, (step: Step) => string> = {
  live: () =>
    sentence(places.live(), state.isOpen ? 'events arrive as they happen' : 'the shop is paused'),
  away: (step) => {
    if (step === 'live') return 'Events happen without you.';
    if (step === 'back') return `${happened(state.latestReturn?.replayed)} without you.`;
    if (now.connection === 'reconnecting')
      return sentence(places.lost(), 'it reconnects by itself');
    return `${happening(now.waiting)} without you.`;
  },
  back: (step) => {
    if (step !== 'back') return 'What you missed arrives.';
    const { replayed = 0, hadGap = false } = state.latestReturn ?? {};
    return sentence(places.back(), arrived(replayed, hadGap));
  },
};

function arrived(replayed: number, hadGap: boolean): string {
  if (hadGap) return 'the history was gone, so the whole list came';
  if (replayed === 0) return 'you missed nothing';
  const order = isWhole() ? 'in order, none twice' : 'but the check found a fault';
  return `${plural(replayed, 'missed event')} arrived, ${order}`;
}

const happening = (count = 0): string =>
  count === 0 ? 'Events happen' : plural(count, 'event is happening', 'events are happening');

const happened = (count = 0): string =>
  count === 0 ? 'Nothing happened' : `${plural(count, 'event')} happened`;

/** What happened, and before it where. */
function sentence(place: string | undefined, what: string): string {
  const text = place === undefined ? what : `${place}: ${what}`;
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
