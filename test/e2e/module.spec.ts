import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Injectable, Logger, Module, type DynamicModule } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { NEVER } from 'rxjs';
import {
  Broadcaster,
  getBroadcasterToken,
  InjectBroadcaster,
  SseModule,
  SseStream,
  type SseModuleOptions,
  type SseOptionsFactory,
} from 'nestjs-eventstream';
import { serve } from '../support/serve.js';
import { responded, streamClient } from '../support/stream-client.js';

@Controller()
class Quiet {
  @SseStream() quiet() {
    return NEVER;
  }
}

const OPTIONS: SseModuleOptions = { retry: 1234 };

@Injectable()
class Factory implements SseOptionsFactory {
  async createSseOptions(): Promise<SseModuleOptions> {
    return OPTIONS;
  }
}

@Module({
  providers: [Factory, { provide: 'OPTIONS', useValue: OPTIONS }],
  exports: [Factory, 'OPTIONS'],
})
class ConfigModule {}

const start = (sse: DynamicModule, metadata: object = {}) =>
  Test.createTestingModule({ imports: [sse], controllers: [Quiet], ...metadata })
    .setLogger({ log() {}, warn() {}, error() {} })
    .compile();

describe('registration', () => {
  // feature: 18
  it.each([
    ['forRoot', () => SseModule.forRoot(OPTIONS)],
    ['useFactory', () => SseModule.forRootAsync({ useFactory: () => OPTIONS })],
    [
      'useFactory with inject',
      () =>
        SseModule.forRootAsync({
          imports: [ConfigModule],
          inject: ['OPTIONS'],
          useFactory: async (options: SseModuleOptions) => options,
        }),
    ],
    ['useClass', () => SseModule.forRootAsync({ useClass: Factory })],
    [
      'useExisting',
      () => SseModule.forRootAsync({ imports: [ConfigModule], useExisting: Factory }),
    ],
  ])('%s gives the same stream', async (_name, register) => {
    const app = (await start(register())).createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    const stream = streamClient({ url: await app.getUrl() });
    await stream.until(({ text }) => text.endsWith('\n\n'));
    expect(stream.text).toBe(': connected\nretry: 1234\n\n');
    await app.close();
  });

  // feature: 18
  it('needs no options', async () => {
    const app = await serve(Quiet);
    expect((await responded(app.open('/'))).status).toBe(200);
  });

  it('with isGlobal: false serves those who import it, and only those', async () => {
    @Injectable()
    class Asks {
      constructor(readonly broadcaster: Broadcaster) {}
    }
    const sse = SseModule.forRoot({ isGlobal: false });
    const other = { module: class Other {}, providers: [Asks] };
    await expect(start(sse, { imports: [sse, other] })).rejects.toThrow(/Broadcaster/);
    const app = await start(sse, { imports: [sse], providers: [Asks] });
    expect(app.get(Asks).broadcaster).toBe(app.get(Broadcaster));
  });

  it('says at start-up when forRoot() is imported twice, and would be two', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const sse = SseModule.forRoot();
    const other = { module: class Other {}, imports: [sse] };
    await (await start(sse, { imports: [sse, other] })).init();
    expect(warn).not.toHaveBeenCalled();
    await (await start(sse, { imports: [sse, SseModule.forRoot({ retry: 5 })] })).init();
    expect(warn.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^SseModule\.forRoot\(\) is imported 2 times, .* in the root module\.$/,
        ),
      ],
    ]);
    warn.mockRestore();
  });

  // feature: 30
  it('lets a test put its own hub instead of a named one', async () => {
    @Injectable()
    class Orders {
      constructor(@InjectBroadcaster('orders') readonly hub: Broadcaster) {}
    }
    const replacement = { stream: () => NEVER };
    const app = await Test.createTestingModule({
      imports: [SseModule.forRoot(), SseModule.forFeature([{ name: 'orders' }])],
      providers: [Orders],
    })
      .overrideProvider(getBroadcasterToken('orders'))
      .useValue(replacement)
      .compile();
    expect(app.get(Orders).hub).toBe(replacement);
  });

  it('gives a further hub its history where it has none of its own', async () => {
    const root = SseModule.forRoot({ history: false });
    const orders = SseModule.forFeature([{ name: 'orders', history: undefined }]);
    const app = await start(root, { imports: [root, orders] });
    const hub = app.get<Broadcaster>(getBroadcasterToken('orders'), { strict: false });
    expect(await hub.to('a').emit('created', 1)).toBe('');
  });
});

describe('a wrong option', () => {
  // feature: 21
  it.each([
    [{ keepAlive: { intervalMs: 0 } }, 'keepAlive.intervalMs: expected a positive integer, got 0'],
    [
      { keepAlive: { intervalMs: -1 } },
      'keepAlive.intervalMs: expected a positive integer, got -1',
    ],
    [
      { keepAlive: { interval: 5 } },
      'keepAlive.interval: no such option; did you mean intervalMs?',
    ],
    [{ isglobal: true }, 'isglobal: no such option; did you mean isGlobal?'],
    [
      { shutdown: { timeoutMs: '5s' } },
      'shutdown.timeoutMs: expected an integer of at least 0, got "5s"',
    ],
    [
      { retry: { minMs: 5, maxMs: 4 } },
      'retry: expected an integer of at least 0, or { minMs, maxMs } with minMs <= maxMs, got an object with minMs, maxMs',
    ],
  ])('fails at start-up: %j', async (options, message) => {
    const error = { code: 'SSE_OPTIONS', message };
    await expect(start(SseModule.forRoot(options as SseModuleOptions))).rejects.toMatchObject(
      error,
    );
    const useFactory = () => options as SseModuleOptions;
    await expect(start(SseModule.forRootAsync({ useFactory }))).rejects.toMatchObject(error);
  });

  it('fails at start-up when the factory of the options returns isGlobal', async () => {
    const useFactory = () => ({ isGlobal: false }) as SseModuleOptions;
    await expect(start(SseModule.forRootAsync({ useFactory }))).rejects.toMatchObject({
      message:
        'isGlobal: expected it next to useFactory, not in the options that useFactory returns, got false',
    });
  });

  it('fails at start-up when the factory of the options returns nothing', async () => {
    const useFactory = (() => {}) as unknown as () => SseModuleOptions;
    await expect(start(SseModule.forRootAsync({ useFactory }))).rejects.toMatchObject({
      code: 'SSE_OPTIONS',
      message: 'options: expected an object, got undefined',
    });
  });

  it('of a stream or a further hub fails where it is written', () => {
    const decorate = () => SseStream('x', { keepAlive: { intervalMs: 1.5 } });
    expect(decorate).toThrow('keepAlive.intervalMs: expected a positive integer, got 1.5');
    expect(() => SseModule.forFeature([{ name: '' }])).toThrow(
      'forFeature[0].name: expected a non-empty string',
    );
  });

  it('that differs between two places that ask for the same hub fails at start-up', async () => {
    const one = SseModule.forFeature([{ name: 'orders' }]);
    const other = SseModule.forFeature([{ name: 'orders', serialize: () => 'x' }]);
    await expect(
      start(SseModule.forRoot(), { imports: [SseModule.forRoot(), one, other] }),
    ).rejects.toMatchObject({
      code: 'SSE_OPTIONS',
      message: expect.stringContaining('forFeature "orders": expected the same options'),
    });
  });
});
