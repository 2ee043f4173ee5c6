// A whole process with members of the room `lobby`, and a watcher: reports to its parent who joined
// and left, and whom the watcher sees. Arguments: the URL of Redis, a prefix, and the ids.
import { Hub } from '../../../lib/hub/hub.js';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { fakeConnection } from 'nestjs-eventstream/testing';
import { SSE_DEFAULTS } from 'nestjs-eventstream';

const [url = '', prefix = '', ids = ''] = process.argv.slice(2);
const send = (message: object): void => void process.send?.(message);

const { history } = SSE_DEFAULTS;
const state = { maxKeys: 10_000, maxBytes: 67_108_864 };
const hub = new Hub(redisEventLog({ url, prefix })({ name: '', history, state }));
await hub.start();
hub.presence$.subscribe(({ kind, member }) => send({ kind, id: member.id }));

const seen = new Set<string>();
hub
  .stream('lobby', { presence: { watch: true }, connection: false })
  .subscribe(({ type, data }) => {
    const { key = '' } = data as { key?: string };
    if (type === 'sse-state') seen.clear();
    if (type === 'sse-set') seen.add(key);
    if (type === 'sse-delete') seen.delete(key);
  });

for (const id of ids === '' ? [] : ids.split(',')) {
  const connection = fakeConnection();
  hub.stream('lobby', { presence: { member: () => ({ id }) }, connection }).subscribe();
}

// The parent asks who is there.
process.on('message', () => {
  void hub
    .members('lobby')
    .then((members) =>
      send({ members: members.map(({ id }) => id).sort(), seen: [...seen].sort() }),
    );
});
send({ kind: 'ready', id: '' });
