// HTTP/1.1 on raw sockets: one request per connection, and bodies as their bytes come.
import net from 'node:net';
import { StringDecoder } from 'node:string_decoder';

/** Resolves with a complete answer only; rejects with everything else. */
export function post(port, path, value, timeoutMs) {
  const body = JSON.stringify(value);
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: chaos',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
    });
    let text = '';
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), timeoutMs);
    socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    socket.on('error', reject).on('close', () => {
      clearTimeout(timer);
      const answer = parseAnswer(text);
      if (answer === undefined) reject(new Error('the answer is not complete'));
      else resolve(answer);
    });
  });
}

function parseAnswer(text) {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
  const body = text.slice(end + 4);
  if (Buffer.byteLength(body) !== length) return undefined;
  return { status: Number(head.split(' ')[1]), body };
}

/**
 * A GET whose body has no end. `onText` gets what is decoded, `onClose` is called once, with what
 * it was. After `maxBytes` of the connection the rest of that chunk is thrown away and the socket
 * destroyed, in the middle of anything.
 */
export class StreamRequest {
  status;
  #head = Buffer.alloc(0);
  #decoder;
  #utf8 = new StringDecoder('utf8');
  #received = 0;

  constructor({ port, path, headers, maxBytes = Infinity, idleMs, onText, onClose }) {
    this.maxBytes = maxBytes;
    this.onText = onText;
    const socket = (this.socket = net.connect(port, '127.0.0.1'));
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: chaos\r\n${lines.join('')}\r\n`);
    // A half-open connection tells nothing: who hears nothing for long goes away.
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('data', (chunk) => this.#take(chunk)).on('error', () => {});
    socket.on('close', () => onClose(this.status));
  }

  #take(chunk) {
    // Node hands on what it has buffered even after destroy(): to a client that was cut, it never
    // came.
    if (this.#received >= this.maxBytes || this.socket.destroyed) return;
    const left = this.maxBytes - this.#received;
    this.#received += chunk.length;
    this.#parse(chunk.length > left ? chunk.subarray(0, left) : chunk);
    if (this.#received >= this.maxBytes) this.socket.destroy();
  }

  #parse(chunk) {
    if (this.#decoder !== undefined) {
      this.#decoder.push(chunk);
      return;
    }
    this.#head = Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#head.subarray(0, end).toString();
    this.status = Number(head.split(' ')[1]);
    if (this.status !== 200 || !/^transfer-encoding: chunked$/im.test(head)) {
      this.socket.destroy();
      return;
    }
    this.#decoder = new ChunkedDecoder(
      (bytes) => this.onText(this.#utf8.write(bytes)),
      () => this.socket.destroy(),
    );
    this.#decoder.push(this.#head.subarray(end + 4));
  }
}

/** The bytes of a chunked body, as soon as they are there. */
class ChunkedDecoder {
  #sizeLine = '';
  #left = 0;
  /** The CR and LF behind a chunk. */
  #skip = 0;

  constructor(onBytes, onEnd) {
    this.onBytes = onBytes;
    this.onEnd = onEnd;
  }

  push(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        this.#skip--;
        at++;
      } else if (this.#left > 0) {
        const bytes = chunk.subarray(at, at + this.#left);
        this.#left -= bytes.length;
        at += bytes.length;
        if (this.#left === 0) this.#skip = 2;
        this.onBytes(bytes);
      } else {
        const char = String.fromCharCode(chunk[at++]);
        if (char !== '\n') {
          this.#sizeLine += char;
          continue;
        }
        this.#left = Number.parseInt(this.#sizeLine, 16);
        this.#sizeLine = '';
        if (!(this.#left > 0)) {
          this.onEnd();
          return;
        }
      }
    }
  }
}
