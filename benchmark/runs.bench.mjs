// Runs: what they add to the first token, on how many hops, and what an ended run keeps.
//
// Measured: the time from `start()` until a reader in the same process has the first message, whose
// producer has it at once, in memory; on a Redis of the benchmark's own, beside the time that an
// event takes on the same way, in turns. The heap that each of 8 800 runs of 20 messages holds when
// it has ended, after 1 100 others, without what `history` still keeps of it, less its wire text.
// Not shown: processes that die (test/fault/runs.spec.ts).
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { SseRuns, SseRunsModule } from 'nestjs-eventstream/runs';
import { filter, firstValueFrom } from 'rxjs';
import { goal, report } from './race.mjs';
import { hasRedis, startRedis } from './servers/redis.mjs';

const STARTS = 100;
const WARM = 1_000;
const KEPT = 8_800;
const MESSAGES = 20;
const TEXT = 'x'.repeat(50);

Logger.overrideLogger(['error']);

async function open(log) {
  const imports = [SseModule.forRoot({ log }), SseRunsModule.forRoot({ keepMs: 3_600_000 })];
  const module = await Test.createTestingModule({ imports }).compile();
  return module.init();
}

const memory = await inMemory();
const goals = [
  goal('start to first token, ms, in memory', memory.first['first token ms'], 2),
  goal('an ended run beyond its text, KiB', memory.kept['KiB per run beyond its text'], 1),
];
const tables = { 'in memory': { '': { ...memory.first, ...memory.kept } } };
if (hasRedis()) {
  const redis = await onRedis();
  tables['two processes on Redis'] = { '': redis };
  goals.push(goal('start to first token ÷ hop, on Redis', redis['first token ÷ hop'], 3));
} else console.log('redis-server is not here (Debian: redis-server): Redis is not measured');
report('runs', tables, goals);

async function inMemory() {
  const app = await open();
  const runs = app.get(SseRuns);
  const times = [];
  for (let n = 0; n <= STARTS; n++) {
    const began = performance.now();
    await firstOf(await runs.start(`first ${n}`, token));
    if (n > 0) times.push(performance.now() - began);
  }
  const keep = async (name, count) => {
    for (let n = 0; n < count; n++) await lastOf(await runs.start(`${name} ${n}`, answer));
    // The readers' lists and the newest writes go after some seconds.
    await delay(12_000);
    runs.hub.log.history.close();
    return heap();
  };
  const before = await keep('warm', WARM);
  const text = KEPT * MESSAGES * `data: {"t":"${TEXT}"}\n`.length;
  const bytes = (await keep('kept', KEPT)) - before - text;
  await app.close();
  return {
    first: { 'first token ms': median(times) },
    kept: { 'KiB per run beyond its text': bytes / KEPT / 1_024 },
  };
}

async function onRedis() {
  const redis = await startRedis({ core: 1 });
  const log = redisEventLog({ url: redis.url });
  const apps = [await open(log), await open(log)];
  const [one, other] = apps;
  const stream = other.get(Broadcaster).stream('hops', { connection: false });
  const hops = [];
  const times = [];
  for (let n = 0; n <= STARTS; n++) {
    const heard = firstValueFrom(stream.pipe(filter(({ data }) => data === n)));
    await delay(20);
    let began = performance.now();
    void one.get(Broadcaster).to('hops').emit('hop', n);
    await heard;
    const hop = performance.now() - began;
    await delay(20);
    began = performance.now();
    const run = await one.get(SseRuns).start(`first ${n}`, token);
    await firstOf(run);
    if (n === 0) continue;
    hops.push(hop);
    times.push(performance.now() - began);
  }
  for (const app of apps) await app.close();
  await redis.stop();
  const [hop, first] = [median(hops), median(times)];
  return { 'hop ms': hop, 'first token ms': first, 'first token ÷ hop': first / hop };
}

async function* token() {
  yield { data: 'token' };
}

async function* answer() {
  for (let n = 0; n < MESSAGES; n++) yield { data: { t: TEXT } };
}

async function firstOf(run) {
  for await (const message of run) return message;
  return undefined;
}

async function lastOf(run) {
  let last;
  for await (const message of run) last = message;
  return last;
}

function heap() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

function median(list) {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}
