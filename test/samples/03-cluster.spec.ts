import { once } from 'node:events';
import { afterEach, expect, it } from '@jest/globals';
import { connect, type RoomState } from 'nestjs-eventstream/client';
import { ROOM } from '../../sample/02-orders/events.js';
import { sharedOrders, type OpenTab } from '../../sample/03-cluster/events.js';
import { startCluster } from '../support/cluster-sample.js';
import { describeRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';

/** The guide promises 21 s; a busy machine may take longer. */
const LEASE_MS = 30_000;

type Roster = RoomState<Record<string, { data: OpenTab; since: number }>>;

describeRedis('sample 03, cluster', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let tabs: Tab[] = [];

  afterEach(async () => {
    for (const { stream } of tabs) stream.close();
    tabs = [];
    const ended = once(cluster.sample, 'exit');
    cluster.sample.kill('SIGTERM');
    await ended;
  });

  it('shows who is there: tabs move when their process is killed, and closed ones leave', async () => {
    cluster = await startCluster();
    const nameless = await fetch(`${cluster.url}/events?tab=${'x'.repeat(31)}`);
    expect([nameless.status, await nameless.text()]).toEqual([400, expect.stringContaining('tab')]);
    tabs = ['Ann', 'Ben', 'Cleo'].map((name) => new Tab(cluster.url, name));
    const [ann, ben, cleo] = tabs as [Tab, Tab, Tab];
    await until('each has all', () => tabs.every((tab) => tab.sees(tabs)));

    await ben.killProcess();
    await until('Ben has moved', () => tabs.every((tab) => tab.sees(tabs)));

    // Closed before it is back, so nobody but the lease says that it is gone.
    ann.stream.onState((state) => state === 'waiting' && ann.stream.close());
    await ann.killProcess();
    await ann.stream.closed;
    const rest = [ben, cleo];
    await until('the others are back', () => rest.every((tab) => tab.sees(rest)));
    expect(cleo.names()).toContain('Ann');
    const hasEnded = () => rest.every((tab) => tab.roster.size === 2);
    await until('the leases have ended', hasEnded, LEASE_MS);
    expect(ben.names()).toEqual(['Ben', 'Cleo']);
    for (const tab of rest) expect([...tab.roster]).toEqual([...ben.roster]);
    expect(rest.every((tab) => tab.sees(rest))).toBe(true);
  }, 60_000);
});

/** The stream of a tab, as the page reads it. */
class Tab {
  readonly stream;
  readonly roster: Roster;
  /** The process that it is on, such as `process 2`. */
  private place: string | undefined;

  constructor(
    private readonly url: string,
    readonly name: string,
  ) {
    this.stream = connect(sharedOrders, { baseUrl: url, query: { tab: name } });
    this.roster = this.stream.stateOf(`sse:presence:${ROOM}`);
    this.stream.on('connected', ({ data }) => (this.place = data.place));
    this.stream.onState((state) => {
      if (state !== 'open') this.place = undefined;
    });
  }

  /** Whether it has these tabs where they are now. */
  sees(others: readonly Tab[]): boolean {
    return others.every(({ name, place }) => {
      const entries = [...this.roster.values()].filter(({ data }) => data.name === name);
      const newest = entries.sort((one, other) => other.since - one.since)[0];
      return place !== undefined && `process ${newest?.data.process}` === place;
    });
  }

  names(): string[] {
    return [...new Set(Array.from(this.roster.values(), ({ data }) => data.name))].sort();
  }

  async killProcess(): Promise<void> {
    const place = this.place ?? '';
    const url = `${this.url}/kill/${place.replace(' ', '/')}`;
    // It may be the one that is asked, and dies before its answer.
    await fetch(url, { method: 'POST', headers: { connection: 'close' } }).catch(() => {});
    await until('the stream is cut', () => this.place !== place);
  }
}
