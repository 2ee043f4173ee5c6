import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { it } from '@jest/globals';
import { interval, map, of } from 'rxjs';
import { Broadcaster, SseModule, SseStream } from 'nestjs-eventstream';
@Controller()
class C {
  constructor(private readonly b: Broadcaster) {}
  @SseStream('ok') ok() {
    return of('a', { data: { n: 1 }, id: '7' });
  }
  @SseStream('room') room() {
    return this.b.stream('r');
  }
}
@Module({ imports: [SseModule.forRoot()], controllers: [C] })
class M {}
it('x', async () => {
  const app = await NestFactory.create(M);
  await app.listen(0);
  const url = await app.getUrl();
  const r = await fetch(url + '/ok');
  console.log(r.status, [...r.headers], await r.text());
  const ac = new AbortController();
  const r2 = await fetch(url + '/room', { signal: ac.signal });
  const reader = r2.body!.getReader();
  console.log(Buffer.from((await reader.read()).value!).toString());
  console.log(await app.get(Broadcaster).to('r').emit('x', { y: 1 }));
  console.log(Buffer.from((await reader.read()).value!).toString());
  await app.close();
  console.log(await reader.read());
});
