// Data of a class that is published before a ClassSerializerInterceptor is known, or by a hub that
// starts later.
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import {
  ClassSerializerInterceptor,
  Controller,
  Injectable,
  Module,
  type OnModuleInit,
} from '@nestjs/common';
import { LazyModuleLoader, Reflector } from '@nestjs/core';
import { Exclude } from 'class-transformer';
import { Broadcaster, getBroadcasterToken, SseModule, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve, type ServeOptions } from '../support/serve.js';

class User {
  id = 1;
  @Exclude() password = 's3cret';
}

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('users') users() {
    return this.hub.stream('users', { rewind: 10 });
  }
  @SseStream('either', { negotiate: true }) either() {
    return new User() as never;
  }
}

const serializer: ServeOptions['setup'] = (nest) =>
  void nest.useGlobalInterceptors(new ClassSerializerInterceptor(nest.get(Reflector)));

@Module({ imports: [SseModule.forFeature([{ name: 'lazy' }])] })
class Lazy {}

it('a hub of a module that is loaded later makes data plain', async () => {
  const app = await serve(Streams, { setup: serializer });
  const module = await app.nest.get(LazyModuleLoader).load(() => Lazy);
  const hub = module.get<Broadcaster>(getBroadcasterToken('lazy'), { strict: false });
  await hub.to('users').emit('user', new User());
  const { events } = await hub.history('users', {});
  expect(events.map(({ data }) => data)).toEqual([{ id: 1 }]);
});

/** Publishes as early as it can. */
function early(data: unknown) {
  @Injectable()
  class Early {
    constructor(hub: Broadcaster) {
      void hub.to('users').emit('user', data);
    }
  }
  return Early;
}

it.each([
  ['an object of the class', new User()],
  ['one in another', { list: [new User()] }],
])(
  'the app does not start where %s was published before the serializer was known',
  async (_title, data) => {
    const starting = serve(Streams, { setup: serializer, module: { providers: [early(data)] } });
    await expect(starting).rejects.toThrow(
      /^emit\(\): an instance of User was published before onModuleInit\(\), .*plain objects$/,
    );
  },
);

it.each<[string, unknown, ServeOptions['setup']]>([
  ['plain data', { id: 1, at: new Date(0), list: [null, 7], bytes: Buffer.from('x') }, serializer],
  [
    'data whose keys are those of a prototype',
    JSON.parse('{"constructor":null,"a":{"constructor":7}}'),
    serializer,
  ],
  ['data of another realm', runInNewContext('({ list: [{ at: new Date(0) }] })'), serializer],
  ['data of a class, and no serializer', new User(), undefined],
])('the app starts where it was %s', async (_title, data, setup) => {
  const app = await serve(Streams, { setup, module: { providers: [early(data)] } });
  expect(await app.open('/users').next()).toMatchObject({ type: 'user' });
});

it('data of a class may be published from onModuleInit() on', async () => {
  @Injectable()
  class InTime implements OnModuleInit {
    constructor(private readonly hub: Broadcaster) {}
    async onModuleInit(): Promise<void> {
      await this.hub.to('users').emit('user', new User());
    }
  }
  const app = await serve(Streams, { setup: serializer, module: { providers: [InTime] } });
  expect((await app.open('/users').next()).data).toEqual({ id: 1 });
});

it.each(ADAPTERS)('an answer that is no stream is made plain (%s)', async (adapter) => {
  const app = await serve(Streams, { adapter, setup: serializer });
  const answer = await fetch(`${app.url}/either`, { headers: { accept: 'application/json' } });
  expect(await answer.json()).toEqual({ id: 1 });
});
