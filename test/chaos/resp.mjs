// One command to a Redis on a connection of its own, past every proxy.
import net from 'node:net';

/** Rejects with what Redis says is wrong, and when it says nothing for `timeoutMs`. */
export function redisCommand(port, args, timeoutMs = 5_000) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('Redis does not answer')));
    socket.on('error', reject).on('close', () => reject(new Error('Redis has hung up')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const reply = parseReply(received, 0);
      if (reply === undefined) return;
      if (reply.value instanceof Error) reject(reply.value);
      else resolve(reply.value);
      socket.destroy();
    });
    const bulks = args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`);
    socket.write(`*${args.length}\r\n${bulks.join('')}`);
  });
}

/** A reply from a place on, and where it ends; `undefined` while it is not complete. */
function parseReply(bytes, from) {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString('utf8', from + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(bytes[from])) {
    case '+':
      return { value: line, next };
    case '-':
      return { value: new Error(line), next };
    case ':':
      return { value: Number(line), next };
    case '$': {
      const length = Number(line);
      if (length === -1) return { value: null, next };
      if (bytes.length < next + length + 2) return undefined;
      return { value: bytes.toString('utf8', next, next + length), next: next + length + 2 };
    }
    case '*': {
      const value = [];
      let at = next;
      for (let n = 0; n < Number(line); n++) {
        const item = parseReply(bytes, at);
        if (item === undefined) return undefined;
        value.push(item.value);
        at = item.next;
      }
      return { value, next: at };
    }
    default:
      throw new Error(`this is not RESP: ${line}`);
  }
}
