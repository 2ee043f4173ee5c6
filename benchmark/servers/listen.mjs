import { once } from 'node:events';

/** On a port that is free. */
export async function listen(server) {
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return server.address().port;
}
