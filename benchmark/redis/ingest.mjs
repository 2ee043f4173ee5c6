// How many events per second one process takes in, while another publishes as fast as it can.
//
// The process that takes them in is alone on core 1; Redis, the sender and the client are on core
// 0. Ours without a reader in any room, and with one in the room of all events; beside it a
// subscriber with `ioredis` that only counts. What is sent are notifications of the log, byte for
// byte but for the positions: a real publish of an app is heard, and repeated with positions that
// go on from it one by one, so that the chain which the library checks is whole. Redis keeps what a
// subscriber has not read yet (its limit on that is off), so that the rate is the subscriber's own;
// the time ends with the last event, handed to the readers. That nothing was read from the log
// meanwhile is checked, as is that the reader got all of it.
import { Redis } from 'ioredis';
import { goal, race } from '../race.mjs';
import { tableOf, withProcesses } from './processes.mjs';

const ROUNDS = 7;
const EVENTS = 200_000;

export async function ingest() {
  const { rounds, bytes } = await withProcesses(async ({ redis, app, bare, load, child }) => {
    const server = await redis();
    const { url } = server;
    const sender = await child('sender.mjs', 0);
    // The reader is on a busy core: it shall not be cut off for that.
    const module = { backpressure: { maxBufferedBytes: 2 ** 30 } };
    const ours = async (name, readers) => {
      const prefix = name.replaceAll(' ', '-');
      const process = await app(1, { url, prefix, module });
      const client = await load(0);
      await client.call('open', { port: process.port, count: readers, paths: ['/events'] });
      const { channel, text } = await template(url, prefix, process);
      return { name, process, channel, text, server, sender, client, readers };
    };
    const all = [await ours('ours', 0), await ours('ours, 1 reader', 1)];
    const [{ text }] = all;
    const counting = await bare(1, { url, listens: true });
    all.unshift({
      name: 'ioredis, counts',
      process: counting,
      channel: 'bare',
      text,
      server,
      sender,
    });
    for (const each of all) await turn(each);
    return { rounds: await race(all, ROUNDS, turn), bytes: text.length + 30 };
  });
  const table = tableOf(rounds, 'ioredis, counts', {
    title: 'events/s, ×',
    ratio: ({ perSecond }) => perSecond,
    figures: {
      'events/s': ({ perSecond }) => perSecond,
      'CPU, µs': ({ cpu }) => cpu,
      'sent/s': ({ sentPerSecond }) => sentPerSecond,
    },
  });
  const cpu = tableOf(rounds, 'ioredis, counts', {
    title: 'CPU, ×',
    ratio: (each) => each.cpu,
    figures: {},
  });
  const rows = Object.keys(table).map((name) => [name, { ...table[name], ...cpu[name] }]);
  return {
    tables: {
      [`events taken in, notifications of about ${bytes} bytes`]: Object.fromEntries(rows),
    },
    goals: [
      goal(
        'a counting subscriber ÷ events per second, no reader',
        1 / table.ours['events/s, ×'],
        2.5,
      ),
      goal('the same, 1 reader', 1 / table['ours, 1 reader']['events/s, ×'], 2.5),
    ],
  };
}

/** What an app publishes, with its places marked. */
async function template(url, prefix, process) {
  const listening = new Redis(url);
  const heard = new Promise((resolve) => {
    listening.on('pmessage', (_pattern, channel, text) => resolve({ channel, text }));
  });
  await listening.psubscribe(`${prefix}:*`);
  await process.ask('publishAwaited', { events: 1, window: 1 });
  const { channel, text } = await heard;
  listening.disconnect();
  return { channel, text: text.replace(/^n (\S+) \d+ \d+ \d+\n/, 'n $1 [TO] [FROM] [FROM]\n') };
}

async function turn({ name, process, channel, text, server, sender, client, readers }) {
  const isOurs = client !== undefined;
  const position = isOurs ? (await process.ask('head')).position : 10 ** 15;
  if (!isOurs) await process.ask('reset', false);
  await client?.call('reset');
  const [cpu, before] = [await process.cpu(), await server.commands()];
  const sending = sender.call('send', {
    port: server.port,
    channel,
    text,
    events: EVENTS,
    position,
  });
  const end = await process.ask('until', isOurs ? position + EVENTS : EVENTS);
  const { from, to } = await sending;
  if (readers > 0) {
    const { isExact, total } = await client.call('expect', { events: EVENTS });
    if (!isExact) throw new Error(`${name}: the reader got ${total} of ${EVENTS} events`);
  }
  const used = (await process.cpu()) - cpu;
  const after = await server.commands();
  const scripts = (after.evalsha ?? 0) - (before.evalsha ?? 0);
  if (scripts > 0) throw new Error(`${name}: ${scripts} scripts ran, the chain was not whole`);
  const perSecond = (1000 * EVENTS) / (end - from);
  return { perSecond, cpu: used / EVENTS, sentPerSecond: (1000 * EVENTS) / (to - from) };
}
