import type { ConnectOptions } from '../connect.options.js';
import { browserTabs } from './browser-tabs.js';
import { Member, MAX_SILENT_TICKS } from './member.js';
import { sourceOf } from './source.js';
import type { Host } from './surroundings.js';
import { oneTab } from './one-tab.js';

const DEFAULT_TAKE_OVER_MS = 8_000;

/** The group of tabs that share a stream, as one of them sees it. */
export interface Group {
  readonly member: Pick<Member, 'leading' | 'rooms'>;
  begin(): void;
  /** Requests for rooms that are under way end with the error. */
  end(error: Error): void;
}

export type GroupMaker = (host: Host) => Group;

/** Whether the browser has what tabs need to share a stream. */
function canShare(): boolean {
  const { navigator, BroadcastChannel, location, origin } = globalThis as Partial<
    typeof globalThis
  > & { origin?: string };
  // Node has no location. A page in a sandbox has no origin, and gets no lock.
  return !!navigator?.locks && !!BroadcastChannel && !!location && origin !== 'null';
}

/** The tabs with this URL and name; where the browser cannot share, a tab of its own. */
export function groupOf(
  url: string | URL,
  {
    name = '',
    takeOverMs = DEFAULT_TAKE_OVER_MS,
    ...options
  }: ConnectOptions & { name?: string; takeOverMs?: number | false },
): GroupMaker {
  return (host) => {
    const id = `${Date.now()}.${Math.random()}`;
    const connect = sourceOf(url, options);
    // Tabs may run versions of the app that do not understand each other.
    const key = (): string => `nestjs-eventstream:1:${name}:${new Request(url).url}`;
    const around = canShare() ? browserTabs(key(), id, connect) : oneTab(connect);
    const member = new Member(id, around, host);
    const enter = (): void => member.enter();
    const leave = ({ type }: Event): void => {
      member.leave(type === 'freeze');
      host.status({ state: 'waiting', error: undefined });
    };
    let timer: ReturnType<typeof setInterval> | undefined;
    const end = new AbortController();
    // A frozen page keeps its lock and reads nothing. A page in the back/forward cache must hold
    // none, and hears nothing there. The events of the document do not bubble.
    const listen = (target: EventTarget, away: string, back: string): void => {
      target.addEventListener(away, leave, end);
      target.addEventListener(back, enter, end);
    };
    return {
      member,
      begin: () => {
        member.enter();
        if (!canShare()) return;
        listen(globalThis, 'pagehide', 'pageshow');
        if (globalThis.document) listen(document, 'freeze', 'resume');
        if (takeOverMs === false) return;
        timer = setInterval(() => member.tick(), takeOverMs / (MAX_SILENT_TICKS + 1));
      },
      end: (error) => {
        clearInterval(timer);
        end.abort();
        member.leave();
        member.rooms.end(error);
      },
    };
  };
}
