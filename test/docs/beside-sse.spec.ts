// The table "What differs" of the guide: what it says about Nest is what Nest does.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  Injectable,
  NotFoundException,
  Sse,
  type CallHandler,
  type ExecutionContext,
  type MessageEvent,
  type NestInterceptor,
} from '@nestjs/common';
import type { Server } from 'node:http';
import { concat, from, map, NEVER, of, timer, type Observable } from 'rxjs';
import { SseStream } from 'nestjs-eventstream';
import { serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

@Injectable()
class Through implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

const SOURCES = {
  'no-id': () => of({ data: 'a' }, { data: 'b' }),
  quiet: () => NEVER,
  late: () => concat(of({ data: 'x' }), timer(1).pipe(map(() => { throw new Error('the password is 1234'); }))), // prettier-ignore
  stranger: () => from([{ temperature: 20 } as unknown as MessageEvent]),
  'line-break': () => of({ type: 'a\nb', data: 'x' }),
};
const rejects = async (): Promise<Observable<MessageEvent>> => {
  await new Promise((resolve) => setTimeout(resolve, 60));
  throw new NotFoundException();
};

@Controller()
class Both {
  @Sse('nest/no-id') a() {
    return SOURCES['no-id']();
  }
  @SseStream('ours/no-id') b() {
    return SOURCES['no-id']();
  }
  @Sse('nest/quiet') c() {
    return SOURCES.quiet();
  }
  @SseStream('ours/quiet') d() {
    return SOURCES.quiet();
  }
  @Sse('nest/late') e() {
    return SOURCES.late();
  }
  @SseStream('ours/late') f() {
    return SOURCES.late();
  }
  @Sse('nest/stranger') g() {
    return SOURCES.stranger();
  }
  @SseStream('ours/stranger') h() {
    return SOURCES.stranger();
  }
  @Sse('nest/line-break') i() {
    return SOURCES['line-break']();
  }
  @SseStream('ours/line-break') j() {
    return SOURCES['line-break']();
  }
  @Sse('nest/rejects') k() {
    return rejects();
  }
  @SseStream('ours/rejects') l() {
    return rejects();
  }
}

const start = () => serve(Both, { setup: (nest) => nest.useGlobalInterceptors(new Through()) });

async function read(path: string): Promise<{ status: number; text: string }> {
  const app = await start();
  const stream = app.open(path);
  const { status } = await responded(stream);
  return { status, text: (await stream.ended).replace(/^: connected\nretry: \d+\n\n/, '').trim() };
}

describe('beside @Sse()', () => {
  it.each([
    ['/nest/no-id', 200, 'id: 1\ndata: a\n\nid: 2\ndata: b'],
    ['/ours/no-id', 200, 'data: a\n\ndata: b'],
    ['/nest/late', 200, expect.stringContaining('event: error\n')],
    ['/ours/late', 200, expect.stringContaining('event: sse-error\ndata: {"statusCode":500')],
    ['/nest/stranger', 200, 'id: 1'],
    ['/ours/stranger', 500, expect.anything()],
    ['/nest/line-break', 200, 'event: ab\nid: 1\ndata: x'],
    ['/ours/line-break', 500, expect.anything()],
    ['/nest/rejects', 200, expect.stringContaining('event: error')],
    ['/ours/rejects', 404, expect.stringContaining('Not Found')],
  ])('%s answers %i', async (path, status, text) => {
    expect(await read(path)).toEqual({ status, text });
  });

  describe('in a minute of silence', () => {
    afterEach(() => {
      jest.useRealTimers();
    });
    // fault: 11
    it.each([
      ['/nest/quiet', 0],
      ['/ours/quiet', 1],
    ])('%s writes %i keep-alives or more', async (path, count) => {
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
      const app = await start();
      const stream = app.open(path);
      while (stream.text === '') {
        jest.advanceTimersByTime(1);
        await new Promise(setImmediate);
      }
      const before = stream.text.length;
      jest.advanceTimersByTime(60_000);
      // The answer to a further request comes after what was written before it.
      const other = app.open('/ours/no-id');
      await other.ended;
      expect(stream.text.length > before).toBe(count > 0);
    });
  });

  // fault: 15
  it('app.close() is over while a stream of ours was open, and waits for one of Nest', async () => {
    const ours = await start();
    await ours.open('/ours/quiet').until(({ text }) => text !== '');
    await ours.nest.close();
    const nest = await start();
    const stream = nest.open('/nest/quiet');
    await stream.until(({ text }) => text !== '');
    let isOver = false;
    const closing = nest.nest.close().then(() => (isOver = true));
    const server = nest.nest.getHttpServer() as Server;
    while (server.listening) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    stream.close();
    await closing;
  });
});
