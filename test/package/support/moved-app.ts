import type { NestApp } from './nest-app.js';

/** A stream as Nest's documentation shows it. */
const CONTROLLER = `import { Controller, Get, MessageEvent, Sse } from '@nestjs/common';
import { interval, map, Observable, take } from 'rxjs';
import { AppService } from './app.service';

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get()
  getHello(): string {
    return this.appService.getHello();
  }

  @Sse('ticks')
  ticks(): Observable<MessageEvent> {
    return interval(10).pipe(
      take(3),
      map((n) => ({ type: 'tick', data: { n, hello: this.appService.getHello() } })),
    );
  }
}
`;

export const TICKS = [0, 1, 2].map((n) => `event: tick\ndata: {"n":${n},"hello":"Hello World!"}`);

/** With a stream of `@Sse()`, and a line that tells where the app listens. */
export async function giveStream(app: NestApp): Promise<void> {
  const { type } = JSON.parse(await app.read('package.json')) as { type?: string };
  const imported = type === 'module' ? './app.service.js' : './app.service';
  await app.write({ 'src/app.controller.ts': CONTROLLER.replace('./app.service', imported) });
  const listens = 'await app.listen(process.env.PORT ?? 3000);';
  await app.replace('src/main.ts', [
    listens,
    `${listens}\n  console.log('url ' + (await app.getUrl()));`,
  ]);
}

/**
 * All that has to change for `@SseStream()`: the module once, and of each controller the import and
 * the name.
 */
export async function moveStream(app: NestApp): Promise<void> {
  const imported = (name: string): string => `import { ${name} } from 'nestjs-eventstream';\n`;
  await app.replace(
    'src/app.controller.ts',
    [', Sse }', ' }'],
    ['import { interval', `${imported('SseStream')}import { interval`],
    ['@Sse(', '@SseStream('],
  );
  await app.replace(
    'src/app.module.ts',
    ['import { AppController', `${imported('SseModule')}import { AppController`],
    ['imports: []', 'imports: [SseModule.forRoot()]'],
  );
}

/** For Jest and for Vitest: both have these globals. */
export const STREAM_TEST = `import { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Broadcaster } from 'nestjs-eventstream';
import { SseInspectorModule } from 'nestjs-eventstream/inspector';
import { openStream } from 'nestjs-eventstream/testing';
import { AppModule } from './../src/app.module';

describe('the stream', () => {
  let app: INestApplication;

  beforeEach(async () => {
    const inspector = SseInspectorModule.forRoot({ guard: { canActivate: () => true } });
    const module = await Test.createTestingModule({ imports: [AppModule, inspector] }).compile();
    app = module.createNestApplication();
  });

  afterEach(() => app.close());

  it('ticks', async () => {
    const stream = await openStream(app, '/ticks');
    expect(await stream.next('tick')).toMatchObject({ data: { n: 0 } });
    expect(app.get(Broadcaster, { strict: false })).toBeInstanceOf(Broadcaster);
  });
});
`;
