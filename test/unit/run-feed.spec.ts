// What a process takes of a run whose end it has not heard of yet.
import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { REAL_TIME } from '../../lib/ground/time.js';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { RunFeed, type FedRun } from '../../lib/runs/feed.js';
import { FIRST_PAGE, pageKey } from '../../lib/runs/pages.js';
import { Transcript } from '../../lib/runs/transcript.js';
import { encodeBody, type SseMessage } from '../../lib/wire/frame.js';
import { until } from '../support/until.js';

const ROOM = 'run';

describe('the feed of a run', () => {
  it('takes nothing that was read before this process has heard of the end', async () => {
    const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
    await hub.start();
    await hub.state<Record<string, object>>(ROOM).set(pageKey(0), FIRST_PAGE);
    const append = async (data: number) => {
      const message: SseMessage = { data };
      return hub.log.append({ rooms: [ROOM], message, body: encodeBody(message) });
    };
    const last = await append(1);
    // Of a process that was taken for dead, and did not know yet.
    const late = await append(2);
    const asked: { position: number; step: () => void }[] = [];
    const run: FedRun & { endAt: number | undefined } = {
      room: ROOM,
      endAt: undefined,
      isWritten: false,
      whenHeardUpTo: (position, step) => asked.push({ position, step }),
      askForPage() {},
      caughtUp() {},
    };
    const transcript = new Transcript();
    const feed = new RunFeed(hub.log, transcript, run, REAL_TIME, () => {});
    const loaded = feed.load();
    await until('it waits for the news', () => asked.length > 0);
    expect(asked.map(({ position }) => position)).toEqual([late.position]);
    run.endAt = last.position;
    asked[0]?.step();
    await loaded;
    expect(transcript.messages.map(({ data }) => data)).toEqual([1]);
    feed.close();
    await hub.close();
  });
});
