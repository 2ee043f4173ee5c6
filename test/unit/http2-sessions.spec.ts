// What keeps the socket of an HTTP/2 session, with a client that writes its own frames.
import { once } from 'node:events';
import { readFileSync, stat } from 'node:fs';
import { createSecureServer, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2';
import { connect as connectTcp, type AddressInfo } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { endSession } from '../../lib/output/http2-sessions.js';
import {
  CANCEL,
  frame,
  get,
  GOAWAY,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  typesOf,
} from '../support/http2-frames.js';
import { until } from '../support/until.js';

const [key, cert] = ['key', 'cert'].map((name) =>
  readFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url)),
) as [Buffer, Buffer];

/** The streams of a client have odd ids. */
const STREAMS = [1, 3, 5];

const resets = STREAMS.map((id) => frame(RST_STREAM, 0, id, CANCEL));

describe('endSession()', () => {
  let client: TLSSocket | undefined;
  afterEach(() => {
    client?.destroy();
  });

  /** A server, and a client that has open streams. */
  async function open({ allowHalfOpen = false } = {}) {
    const server = createSecureServer({ key, cert });
    const responses: Http2ServerResponse[] = [];
    let session: ServerHttp2Session | undefined;
    server.on('session', (opened) => (session = opened.on('error', () => {})));
    server.on('request', (_request, response) => {
      response.on('error', () => {}).write('hello');
      responses.push(response);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen });
    client = connect({ socket, ALPNProtocols: ['h2'], rejectUnauthorized: false });
    let received: Buffer = Buffer.alloc(0);
    client.on('error', () => {});
    client.on('data', (data: Buffer) => (received = Buffer.concat([received, data])));
    await once(client, 'secureConnect');
    const requests = STREAMS.map((id) => get(id, '/'));
    client.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), ...requests]));
    await until('all streams are open', () => responses.length === STREAMS.length);
    /** Ends the session, and closes the server. */
    const end = async () => {
      endSession(session!);
      server.close();
      await until('the client has read it', () => typesOf(received).includes(GOAWAY));
    };
    return { server, client, responses, session: session!, closed: once(server, 'close'), end };
  }

  it('lets the open streams finish', async () => {
    const { responses, session, closed, end } = await open();
    await end();
    expect(session.destroyed).toBe(false);
    for (const response of responses) response.end('bye');
    await once(session, 'close');
    expect(responses.every((response) => response.writableFinished)).toBe(true);
    await closed;
  });

  it('leaves alone what has been destroyed', async () => {
    const { server, session, closed } = await open();
    session.destroy();
    await once(session, 'close');
    expect(() => endSession(session)).not.toThrow();
    server.close();
    await closed;
  });

  it('lets go of a socket whose client went while the session wrote', async () => {
    const { client: leaving, responses, session, closed, end } = await open();
    await end();
    // Two TLS records. The answer to the first one fails, and the second one ends all streams.
    leaving.setMaxSendFragment(512);
    const pings = Array.from({ length: 31 }, () => frame(PING, 0, 0, Buffer.alloc(8)));
    await new Promise<void>((resolve) => {
      // From here, what the server writes goes out before it reads.
      stat('/', () => {
        leaving.write(Buffer.concat([...pings, ...resets]));
        leaving.destroy();
        responses[0]?.write('late');
        resolve();
      });
    });
    await closed;
    expect(session.destroyed).toBe(true);
  });

  it('lets go of a client that does not close its side', async () => {
    const { client: staying, closed, end } = await open({ allowHalfOpen: true });
    await end();
    staying.write(Buffer.concat(resets));
    await closed;
    expect(staying.destroyed).toBe(false);
  });
});
