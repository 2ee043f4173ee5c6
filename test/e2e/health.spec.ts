import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { SseHealth, type SseModuleOptions } from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/event-log-memory.js';
import { ADAPTERS, serve } from '../support/serve.js';

@Controller()
class Health {
  constructor(private readonly sse: SseHealth) {}
  @Get('ready') ready() {
    return this.sse.check();
  }
}

describe.each(ADAPTERS)('the health of event delivery (%s)', (adapter) => {
  it('is up with a log that has no trouble, and else tells what it has', async () => {
    let trouble: string | undefined;
    class Troubled extends MemoryEventLog {
      get trouble(): string | undefined {
        return trouble;
      }
    }
    const sse: SseModuleOptions = { log: ({ history }) => new Troubled(history) };
    const app = await serve(Health, { adapter, sse });
    const ready = async (): Promise<unknown> => JSON.parse(await app.open('/ready').ended);
    expect(await ready()).toEqual({ sse: { status: 'up' } });
    trouble = 'nothing comes';
    expect(await ready()).toEqual({ sse: { status: 'down', trouble: 'nothing comes' } });
    trouble = undefined;
    expect(await ready()).toEqual({ sse: { status: 'up' } });
  });
});
