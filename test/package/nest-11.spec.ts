// A new app of Nest 11: CommonJS, Jest. It moves from `@Sse()` to `@SseStream()`, and compiles as
// older apps do.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { giveStream, moveStream, STREAM_TEST, TICKS } from './support/moved-app.js';
import { eventsOf, NestApp } from './support/nest-app.js';

/**
 * The oldest that works, the last one to refuse the `require()` of an ES module, and the newest.
 */
const COMPILERS = ['5.2', '5.7', '6.0'];
/** As templates had them over the years, the newest last. */
const RESOLUTIONS = {
  node: { module: 'commonjs', moduleResolution: 'node' },
  node16: { module: 'node16', moduleResolution: 'node16' },
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
};
const MATRIX = COMPILERS.flatMap((version) =>
  Object.entries(RESOLUTIONS).map(([name, options]) => ({ version, name, options })),
);

let app: NestApp;

beforeAll(async () => {
  const compilers = COMPILERS.map((version) => [
    `typescript-${version}`,
    `npm:typescript@~${version}.2`,
  ]);
  app = await NestApp.create(['npx', '--yes', '@nestjs/cli@11'], {
    ...(Object.fromEntries(compilers) as Record<string, string>),
    '@swc/cli': '^0.7.0',
    '@swc/core': '^1.15.0',
    '@swc/jest': '^0.2.39',
    'nestjs-zod': '^5.5.0',
    zod: '^4.0.0',
  });
}, 300_000);
afterAll(() => app.remove());

describe('an app that the command line of Nest 11 makes', () => {
  it('streams with @Sse()', async () => {
    await giveStream(app);
    await app.run('npx', 'nest', 'build');
    expect(eventsOf(await app.stream('dist/main.js', '/ticks'))).toEqual(TICKS);
  }, 120_000);

  it('streams the same with @SseStream(), with another import and name', async () => {
    await moveStream(app);
    await app.run('npx', 'nest', 'build');
    const stream = await app.stream('dist/main.js', '/ticks');
    expect(stream).toContain(': connected');
    expect(eventsOf(stream)).toEqual(TICKS);
  }, 120_000);

  it.each(['--builder swc', '--builder swc --type-check', '--webpack'])(
    'streams when it is built with %s',
    async (options) => {
      await app.run('npx', 'nest', 'build', ...options.split(' '));
      expect(eventsOf(await app.stream('dist/main.js', '/ticks'))).toEqual(TICKS);
    },
    120_000,
  );
});

it('has a contract of the classes of nestjs-zod', async () => {
  const compilerOptions = { outDir: 'zod-dist' };
  const config = { extends: './tsconfig.json', compilerOptions, include: ['zod'] };
  await app.write({ 'tsconfig.zod.json': JSON.stringify(config), 'zod/main.ts': ZOD_APP });
  await app.run('npx', 'tsc', '-p', 'tsconfig.zod.json');
  const main = 'zod-dist/main.js';
  expect(eventsOf(await app.stream(main, '/orders/c7/events?limit=2'))).toEqual([
    'event: created\ndata: {"no":1,"note":"none"}',
    'event: created\ndata: {"no":2,"note":"none"}',
    'event: refused\ndata: ["SSE_INVALID_EVENT","no"]',
  ]);
  expect(await app.stream(main, '/orders/c7/events?limit=many')).toContain('"query.limit: ');
}, 120_000);

/** Node 24.9 lets Jest load ES modules by `require()`. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const CAN_REQUIRE = major > 24 || (major === 24 && minor >= 9);
const REMEDY = { transformIgnorePatterns: ['/node_modules/(?!nestjs-eventstream/)'] };
const SWC = { transform: { '^.+\\.(t|j)s$': '@swc/jest' } };
const SWCRC = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
};

describe('its tests', () => {
  it('run with ts-jest', async () => {
    const manifest = JSON.parse(await app.read('package.json')) as { jest: object };
    const test = async (change: object): Promise<string> => {
      const jest = { ...manifest.jest, ...change };
      await app.write({ 'package.json': JSON.stringify({ ...manifest, jest }) });
      return app.run('npm', 'test', '--', 'stream').catch(String);
    };
    await app.write({ 'src/stream.spec.ts': STREAM_TEST });
    const asItIs = CAN_REQUIRE ? '1 passed' : 'Must use import to load ES Module';
    expect(await test({})).toContain(asItIs);
    expect(await test(REMEDY)).toContain('1 passed');
  }, 120_000);

  it('run with the transform of SWC', async () => {
    const path = 'test/jest-e2e.json';
    const config = JSON.parse(await app.read(path)) as object;
    await app.write({
      'test/stream.e2e-spec.ts': STREAM_TEST,
      [path]: JSON.stringify({ ...config, ...REMEDY, ...SWC }),
      '.swcrc': JSON.stringify(SWCRC),
    });
    expect(await app.run('npm', 'run', 'test:e2e', '--', 'stream')).toContain('1 passed');
  }, 120_000);
});

/** As a template of those years, but with checks of all declarations. */
async function configure(version: string, options: object): Promise<void> {
  const compilerOptions = {
    ...options,
    target: 'es2022',
    strict: true,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    types: ['node'],
    outDir: 'old',
    ...(version === '6.0' && { ignoreDeprecations: '6.0', rootDir: 'src' }),
  };
  const config = { compilerOptions, include: ['src'], exclude: ['**/*.spec.ts'] };
  await app.write({ 'tsconfig.old.json': JSON.stringify(config), 'src/types.ts': TYPES });
}

const compile = (version: string, ...options: string[]): Promise<string> =>
  app.run('node', `node_modules/typescript-${version}/bin/tsc`, '-p', 'tsconfig.old.json', ...options); // prettier-ignore

describe('the types', () => {
  it.each(MATRIX)(
    'are found by TypeScript $version with moduleResolution $name',
    async ({ version, options }) => {
      await configure(version, options);
      expect(await compile(version, '--noEmit')).toBe('');
    },
    120_000,
  );

  it('lead to code that runs where the oldest compiler made it', async () => {
    const [version = ''] = COMPILERS;
    await configure(version, RESOLUTIONS.node);
    await compile(version);
    expect(eventsOf(await app.stream('old/main.js', '/ticks'))).toEqual(TICKS);
  }, 120_000);

  it('lead to code that runs where webpack made it with moduleResolution bundler', async () => {
    await configure('', RESOLUTIONS.bundler);
    // Where webpack writes to, whatever the configuration says.
    await app.run('rm', '-r', 'dist');
    await app.run('npx', 'nest', 'build', '--webpack', '-p', 'tsconfig.old.json');
    expect(eventsOf(await app.stream('dist/main.js', '/ticks'))).toEqual(TICKS);
  }, 120_000);
});

it('streams as one of several apps of a monorepo', async () => {
  const names = ['main', 'app.module', 'app.controller', 'app.service'].map((name) => `${name}.ts`);
  const files = names.map(async (name) => [
    `apps/second/src/${name}`,
    await app.read(`src/${name}`),
  ]);
  const moved = Object.fromEntries(await Promise.all(files)) as Record<string, string>;
  await app.run('npx', 'nest', 'generate', 'app', 'second');
  await app.write(moved);
  await app.run('npx', 'nest', 'build', 'second');
  expect(eventsOf(await app.stream('dist/apps/second/main.js', '/ticks'))).toEqual(TICKS);
}, 120_000);

const TYPES = `import { Injectable } from '@nestjs/common';
import { Broadcaster, type SseEvent } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { collect } from 'nestjs-eventstream/testing';

@Injectable()
export class Orders {
  constructor(private readonly hub: Broadcaster<{ created: { no: number } }>) {}

  async all() {
    await this.hub.to('orders').emit('created', { no: 1 });
    // @ts-expect-error: the types are there, and not \`any\`.
    await this.hub.to('orders').emit('created', { no: 'one' });
    const [first] = await collect(this.hub.stream('orders'), 1);
    return first;
  }
}

export async function read(url: string) {
  const stream = connect<{ created: { no: number } }>(url);
  for await (const event of stream) {
    // @ts-expect-error: as above.
    event.data.text;
  }
}
`;

const ZOD_APP = `import { Controller, Module, Param, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createZodDto } from 'nestjs-zod';
import { Broadcaster, SseInvalidEventError, SseModule, SseStream } from 'nestjs-eventstream';
import { sseContract, type EventsOf, type QueryOf } from 'nestjs-eventstream/contract';
import { z } from 'zod';

class Created extends createZodDto(z.object({ no: z.int(), note: z.string().default('none') })) {}
class Limits extends createZodDto(z.object({ limit: z.coerce.number() })) {}

const orders = sseContract({
  path: 'orders/:customer/events',
  query: Limits.schema,
  events: { created: Created, refused: z.array(z.string()) },
});

@Controller()
class OrdersController {
  constructor(private readonly hub: Broadcaster<EventsOf<typeof orders>>) {}

  @SseStream(orders)
  async stream(@Param('customer') customer: string, @Query() { limit }: QueryOf<typeof orders>) {
    const room = this.hub.to(customer);
    for (let no = 1; no <= limit; no++) await room.emit('created', { no });
    // @ts-expect-error: the class has the types of its schema.
    const wrong = room.emit('created', { no: 'one' });
    const refused = await wrong.catch((error: SseInvalidEventError) => [
      error.code,
      ...error.problems.map(({ path }) => path),
    ]);
    await room.emit('refused', refused as string[]);
    return this.hub.stream(customer, { rewind: limit + 1, until: ['refused'] });
  }
}

@Module({
  imports: [SseModule.forRoot({ contract: orders })],
  controllers: [OrdersController],
})
class AppModule {}

async function main() {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
  console.log('url ' + (await app.getUrl()));
}
void main();
`;
