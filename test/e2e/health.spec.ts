import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { SseHealth, type SseModuleOptions } from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

@Controller()
class Health {
  constructor(
    private readonly sse: SseHealth,
    private readonly health: HealthCheckService,
  ) {}
  @Get('ready') ready() {
    return this.sse.check();
  }
  @Get('terminus') @HealthCheck() terminus() {
    return this.health.check([() => this.sse.check('events')]);
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
    const app = await serve(Health, { adapter, sse, module: { imports: [TerminusModule] } });
    const ready = async (): Promise<unknown> => JSON.parse(await app.open('/ready').ended);
    expect(await ready()).toEqual({ sse: { status: 'up' } });
    trouble = 'nothing comes';
    expect(await ready()).toEqual({ sse: { status: 'down', trouble: 'nothing comes' } });
    const terminus = app.open('/terminus');
    expect((await responded(terminus)).status).toBe(503);
    expect(JSON.parse(await terminus.ended)).toMatchObject({
      error: { events: { status: 'down', trouble: 'nothing comes' } },
    });
    trouble = undefined;
    expect((await responded(app.open('/terminus'))).status).toBe(200);
    expect(await ready()).toEqual({ sse: { status: 'up' } });
  });
});
