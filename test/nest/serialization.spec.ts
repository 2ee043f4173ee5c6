import { describe, expect, it } from '@jest/globals';
import {
  ClassSerializerInterceptor,
  Controller,
  Injectable,
  SerializeOptions,
  Sse,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { Exclude, Expose } from 'class-transformer';
import { of } from 'rxjs';
import { Broadcaster, Connection, SseStream, type SseConnection } from 'nestjs-eventstream';
import { ADAPTERS, serve, type ServeOptions } from '../support/serve.js';

class User {
  id = 1;
  @Exclude() password = 's3cret';
  @Expose({ groups: ['admin'] }) email = 'ann@example.org';
}

const PLAIN = { id: 1 };
const ADMIN = { id: 1, email: 'ann@example.org' };

const perMethod = UseInterceptors(ClassSerializerInterceptor);
const forAdmins = SerializeOptions({ groups: ['admin'] });

@Controller()
class Users {
  constructor(private readonly hub: Broadcaster) {}

  @SseStream('observable')
  observable() {
    return of({ data: new User() }, { data: [new User()] }, { data: { user: new User() } });
  }
  @Sse('nest')
  nest() {
    return of({ data: new User() }, { data: [new User()] }, { data: { user: new User() } });
  }
  @SseStream('generator')
  async *generator() {
    yield { data: new User() };
  }
  @SseStream('admins')
  @SerializeOptions({ groups: ['admin'] })
  admins() {
    return of({ data: new User() });
  }
  @SseStream('sent')
  sent(@Connection() connection: SseConnection) {
    void connection.send({ data: new User() });
    return of();
  }
  @SseStream('bytes')
  bytes() {
    return of({ data: Buffer.from('x') }, 'text', 7);
  }
  @SseStream('hub')
  hubStream() {
    return this.hub.stream('users', { snapshot: async () => [{ data: new User() }] });
  }
}

@Controller()
@UseInterceptors(ClassSerializerInterceptor)
class OfController {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('observable')
  observable() {
    return of({ data: new User() });
  }
  @SseStream('hub')
  hubStream() {
    return this.hub.stream('users');
  }
}

@Controller()
class OfMethods {
  @SseStream('above')
  @forAdmins
  @perMethod
  below() {
    return of({ data: new User() });
  }
  @perMethod
  @forAdmins
  @SseStream('below')
  above() {
    return of({ data: new User() });
  }
  @SseStream('without')
  without() {
    return of({ data: new User() });
  }
}

const globally: Record<string, Partial<ServeOptions>> = {
  'useGlobalInterceptors()': {
    setup: (nest) =>
      void nest.useGlobalInterceptors(new ClassSerializerInterceptor(nest.get(Reflector))),
  },
  APP_INTERCEPTOR: {
    module: { providers: [{ provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor }] },
  },
};

describe.each(
  ADAPTERS.flatMap((adapter) => Object.keys(globally).map((how) => [adapter, how] as const)),
)('ClassSerializerInterceptor on %s, by %s', (adapter, how) => {
  it.each(['/observable', '/nest'])('is applied to what a stream sends (%s)', async (path) => {
    const app = await serve(Users, { adapter, ...globally[how] });
    const events = await app.open(path).take(3);
    expect(events.map(({ data }) => data)).toEqual([PLAIN, [PLAIN], { user: PLAIN }]);
  });

  it.each([
    ['/generator', PLAIN],
    ['/admins', ADMIN],
    ['/sent', PLAIN],
  ])('from every kind of source, with its options (%s)', async (path, expected) => {
    const app = await serve(Users, { adapter, ...globally[how] });
    expect((await app.open(path).next()).data).toEqual(expected);
  });

  it('leaves bytes and text alone', async () => {
    const app = await serve(Users, { adapter, ...globally[how] });
    const events = await app.open('/bytes').take(3);
    expect(events.map(({ data }) => data)).toEqual(['eA==', 'text', 7]);
  });

  it('is applied to the events of a hub, live and kept, and to snapshots', async () => {
    const app = await serve(Users, { adapter, ...globally[how] });
    const hub = app.nest.get(Broadcaster);
    const stream = app.open('/hub');
    expect((await stream.next()).data).toEqual(PLAIN);
    const id = await hub.to('users').emit('changed', new User());
    expect((await stream.next()).data).toEqual(PLAIN);
    await hub.to('users').emit('changed', [new User()]);
    const back = app.open('/hub', { headers: { 'last-event-id': id } });
    expect((await back.next()).data).toEqual([PLAIN]);
    const { events } = await hub.history('users');
    expect(events.map(({ data }) => data)).toEqual([PLAIN, [PLAIN]]);
  });
});

describe.each(ADAPTERS)('ClassSerializerInterceptor on %s', (adapter) => {
  it('of a controller is applied to its streams, and to hub events', async () => {
    const app = await serve(OfController, { adapter });
    expect((await app.open('/observable').next()).data).toEqual(PLAIN);
    const stream = app.open('/hub');
    await stream.until(({ text }) => text.includes('id: '));
    await app.nest.get(Broadcaster).to('users').emit('changed', new User());
    expect((await stream.next()).data).toEqual(PLAIN);
  });

  it.each([
    ['/above', ADMIN],
    ['/below', ADMIN],
    ['/without', { id: 1, password: 's3cret', email: 'ann@example.org' }],
  ])('of a method is applied to this method (%s)', async (path, expected) => {
    const app = await serve(OfMethods, { adapter });
    expect((await app.open(path).next()).data).toEqual(expected);
  });
});

@Injectable()
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle();
  }
}

it('names the interceptors at start-up that see no events', async () => {
  const lines: string[] = [];
  const logger = { log: (line: string) => void lines.push(line), warn: () => {}, error: () => {} };
  const setup = (nest: INestApplication): void => {
    nest.useLogger(logger);
    nest.useGlobalInterceptors(new Envelope(), new ClassSerializerInterceptor(nest.get(Reflector)));
  };
  await serve(Users, { setup });
  expect(lines.filter((line) => line.includes('do not see its events'))).toEqual([
    'These interceptors run once per stream and do not see its events: Envelope. To map or log events, use pipe() in the handler.',
  ]);
});
