// Nchan: a module of nginx, in C. Only its worker's CPU time counts; this process posts the events
// to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';
export const isInstalled = () => existsSync(MODULE) && existsSync('/usr/sbin/nginx');

const config = (port) => `
load_module ${MODULE};
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16000;
error_log stderr crit;
pid nginx.pid;
events { worker_connections 15000; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000;
  keepalive_timeout 1d;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /ping { return 200 pong; }
    location = /events { nchan_subscriber eventsource; nchan_channel_id all; }
    location = /publish { nchan_publisher; nchan_channel_id all; nchan_message_buffer_length 1000; }
  }
}
`;

export async function start() {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'bench-nchan-'));
  writeFileSync(join(folder, 'nginx.conf'), config(port));
  const nginx = spawn('/usr/sbin/nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: 'inherit' });
  process.on('exit', () => {
    nginx.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  const publisher = await connected(port);
  // The port is open before there is a worker; an answer comes from the worker.
  publisher.write('GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await once(publisher, 'data');
  publisher.on('data', () => {});
  publisher.on('close', () => {
    throw new Error('nginx closed the connection that posts the events');
  });
  const worker = workerOf(nginx.pid);
  let requests = '';
  return {
    port,
    /** What a turn publishes goes to nginx in one write. */
    publish(_room, data) {
      if (requests === '') {
        setImmediate(() => {
          publisher.write(requests);
          requests = '';
        });
      }
      const body = JSON.stringify(data);
      requests +=
        'POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nX-EventSource-Event: n\r\n' +
        `Content-Length: ${body.length}\r\n\r\n${body}`;
    },
    /** Microseconds on a core; the first figure of schedstat is nanoseconds. */
    cpu: () => Number(readFileSync(`/proc/${worker}/schedstat`, 'utf8').split(' ')[0]) / 1000,
  };
}

async function connected(port) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = net.connect(port, '127.0.0.1');
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (isOpen) return socket;
    await sleep(50);
  }
  throw new Error('nginx does not answer');
}

function workerOf(master) {
  const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
