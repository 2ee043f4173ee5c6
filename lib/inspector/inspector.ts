import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { defer, EMPTY, map, merge, type Observable } from 'rxjs';
import type { Registry } from '../connection/registry.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { SseConnections } from '../connection/sse-connections.js';
import { Hubs } from '../hub/hubs.js';
import { MemoryEventLog } from '../log/event-log-memory.js';
import { Facts, type Fact } from './facts.js';
import type { InspectedRoomEntries, InspectedRoomEvents } from './inspected-room.js';
import { INSPECTOR_OPTIONS, type SseInspectorOptions } from './inspector.options.js';
import { LocalProcess, type Lists } from './local-process.js';
import { lookFrom, type Look } from './look.js';
import { Peers, type Action } from './peers.js';
import { MAX_LISTED_OF_PEER } from './process-report.js';
import { roomEntries } from './room-entries.js';
import { roomEvents } from './room-events.js';
import type { InspectorSamples, InspectorState } from './state.js';
import { askOnce, samplesOf, stateNow, statesOf } from './view.js';

/** What a page gets over its stream. */
export type PageEvent =
  | { readonly type: 'samples'; readonly data: InspectorSamples }
  | { readonly type: 'state'; readonly data: InspectorState };

const MAX_LOOKS_OF_OTHERS = 10;
/** Stands for every process. */
const ALL = '*';

/** The data and the actions of the page. */
@Injectable()
export class Inspector implements OnModuleInit, OnModuleDestroy {
  private readonly local: LocalProcess;
  private peers: Peers | undefined;
  /** Pages that look for the same share one. */
  private readonly views = new Map<string, Observable<InspectorState>>();
  /** The last used one is the last. */
  private readonly listsOfOthers = new Map<string, Lists>();

  constructor(
    @Inject(SseConnections) private readonly registry: Registry,
    hubs: Hubs,
    @Inject(INSPECTOR_OPTIONS) { facts }: Pick<SseInspectorOptions, 'facts'> = {},
  ) {
    this.local = new LocalProcess(registry, hubs, new Facts(facts));
  }

  onModuleInit(): void {
    const { local } = this;
    local.start();
    const hub = local.hubNamed('');
    // Without a log in common there is nobody to ask.
    if (hub === undefined || hub.log instanceof MemoryEventLog) return;
    this.peers = new Peers(hub.peers, {
      report: ({ look, counts, samples }) => {
        if (counts) local.counting.renew();
        const report = local.report(look, this.listsFor(look), MAX_LISTED_OF_PEER);
        return samples ? { ...report, samples: local.samples() } : report;
      },
      act: (action) => local.act(action),
    });
  }

  /** For the pages of other processes, which look for the same again and again. */
  private listsFor(look: Look): Lists {
    const key = JSON.stringify(look);
    const lists = this.listsOfOthers.get(key) ?? this.local.newLists();
    this.listsOfOthers.delete(key);
    this.listsOfOthers.set(key, lists);
    for (const oldest of this.listsOfOthers.keys()) {
      if (this.listsOfOthers.size <= MAX_LOOKS_OF_OTHERS) break;
      this.listsOfOthers.delete(oldest);
    }
    return lists;
  }

  onModuleDestroy(): void {
    this.peers?.stop();
    this.local.stop();
  }

  /** For a connection of the inspector itself. A page that has just been opened wants its plots. */
  watch(connection: SseConnection, query: unknown): Observable<PageEvent> {
    this.local.markOwn(connection);
    const look = lookFrom(query);
    const wantsPlots = (query as { plots?: unknown }).plots !== undefined;
    const samples = defer(() => samplesOf(this.local, this.peers, look));
    return merge(
      wantsPlots ? samples.pipe(map((data) => ({ type: 'samples', data }) as const)) : EMPTY,
      this.statesOf(look).pipe(map((data) => ({ type: 'state', data }) as const)),
    );
  }

  private statesOf(look: Look): Observable<InspectorState> {
    const key = JSON.stringify(look);
    const states = this.views.get(key) ?? statesOf(this.local, this.peers, look, () => this.views.delete(key)); // prettier-ignore
    this.views.set(key, states);
    return states;
  }

  state(query: unknown): Promise<InspectorState> {
    return stateNow(this.local, this.peers, lookFrom(query));
  }

  /** Answers `undefined` where no hub has this name. */
  async roomEvents(
    room: string,
    hub: string,
    after?: string,
  ): Promise<InspectedRoomEvents | undefined> {
    const found = this.local.hubNamed(hub);
    return found && roomEvents(found, room, after);
  }

  /** Answers `undefined` where no hub has this name. */
  async roomEntries(room: string, hub: string): Promise<InspectedRoomEntries | undefined> {
    const found = this.local.hubNamed(hub);
    return found && roomEntries(found, room);
  }

  /** Answers `undefined` where no hub has this name. */
  async emit(
    room: string,
    hub: string,
    message: { type?: string; data: unknown },
  ): Promise<string | undefined> {
    return this.local.hubNamed(hub)?.publish(room, message);
  }

  /** In all processes; each closes the connections whose `data` has this fact. */
  revoke(name: string, fact: Fact): Promise<void> {
    return this.registry.revokeEverywhere({ [name]: fact });
  }

  /**
   * In the process with this id, in all of them for `*`, else in this one. Answers whether there
   * was something to do; `undefined` where the process does not answer.
   */
  async act(process: string | undefined, action: Action): Promise<boolean | undefined> {
    if (process === undefined || process === '' || process === this.local.id) {
      return this.local.act(action);
    }
    if (process !== ALL) return this.peers?.act(process, action);
    const { local, peers } = this;
    if (peers === undefined) return local.act(action);
    const others = await askOnce(peers, { search: '', slow: false, process: local.id });
    const acted = await Promise.all(others.reports.map(({ id }) => peers.act(id, action)));
    return [local.act(action), ...acted].some((done) => done === true);
  }
}
