// Publishes messages in a pipeline, made beforehand, as fast as Redis takes them.
import net from 'node:net';
import { expose } from '../rpc.mjs';

const CHUNK = 500;
const MAX_OPEN = 20 * CHUNK;
const now = () => performance.timeOrigin + performance.now();

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

expose({
  /**
   * `[FROM]` and `[TO]` in `text` become the position before a message and its own: a chain, as the
   * log's notifications.
   */
  async send({ port, channel, text, events, position }) {
    const head = `*3\r\n${bulk('PUBLISH')}${bulk(channel)}`;
    const chunks = [];
    for (let n = 0; n < events;) {
      let chunk = '';
      for (const end = Math.min(events, n + CHUNK); n < end; n++) {
        const own = text.replaceAll('[FROM]', position + n).replaceAll('[TO]', position + n + 1);
        chunk += head + bulk(own);
      }
      chunks.push(Buffer.from(chunk));
    }
    const socket = net.connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let [sent, answered] = [0, 0];
    const from = now();
    await new Promise((resolve, reject) => {
      const more = () => {
        while (chunks.length > 0 && sent - answered < MAX_OPEN) {
          socket.write(chunks.shift());
          sent += CHUNK;
        }
      };
      socket.on('error', reject);
      socket.on('data', (data) => {
        for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) answered++;
        more();
        if (answered === events) resolve();
      });
      more();
    });
    socket.destroy();
    return { from, to: now() };
  },
});
