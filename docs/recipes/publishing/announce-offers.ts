import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';

interface ShopEvents {
  offers: { day: string };
}

const log = redisEventLog({
  url: process.env['REDIS_URL'] ?? 'redis://localhost:6379',
});

@Module({ imports: [SseModule.forRoot({ log })] })
class PublisherModule {}

const app = await NestFactory.createApplicationContext(PublisherModule, {
  logger: ['warn', 'error'],
});
const broadcaster = app.get<Broadcaster<ShopEvents>>(Broadcaster);
const day = new Date().toISOString().slice(0, 10);
const key = `offers ${day}`;
await broadcaster.to('shop').emit('offers', { day }, { key });
await app.close();
