// Runs the server scenarios of the MCP conformance suite against two processes on one Redis, of
// which each takes every other request: `node test/interop/mcp-conformance.mjs`. The suite needs
// Node 22 or newer, and is loaded by npx with one, because an older Node runs the other tests.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createServer } from 'node:net';

const SUITE = '@modelcontextprotocol/conformance@0.1.16';
const root = new URL('../..', import.meta.url);
const children = [];

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when the program has printed what says that it is ready. */
async function run(program, args, ready, env = {}) {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      if (text.includes(ready)) resolve();
      else if (text.includes('Nest')) process.stderr.write(text);
    });
    child.once('exit', () => reject(new Error(`${program} has ended`)));
  });
}

/** Passes each request on to the next of the ports. */
function alternate(ports) {
  const counts = ports.map(() => 0);
  let next = 0;
  const server = http.createServer((request, response) => {
    const turn = next++ % ports.length;
    counts[turn] += 1;
    const { method, url, headers } = request;
    const passed = http.request({
      host: 'localhost',
      port: ports[turn],
      method,
      path: url,
      headers,
    });
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers).flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  return { server, counts };
}

const redisPort = await freePort();
const ports = [await freePort(), await freePort()];
const { server, counts } = alternate(ports);
try {
  const redis = ['--port', String(redisPort), '--save', '', '--appendonly', 'no'];
  await run('redis-server', redis, 'Ready to accept connections');
  const app = ['--import', './test/support/typescript.mjs', 'test/interop/mcp-app.ts'];
  const REDIS_URL = `redis://127.0.0.1:${redisPort}`;
  await Promise.all(
    ports.map((PORT) => run(process.execPath, app, '/mcp', { REDIS_URL, PORT: String(PORT) })),
  );
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const url = `http://localhost:${server.address().port}/mcp`;
  const packages = ['--yes', '--package', 'node@22', '--package', SUITE];
  const suite = spawn(
    'npx',
    [...packages, '--', 'conformance', 'server', '--suite', 'all', '--url', url],
    { stdio: 'inherit' },
  );
  [process.exitCode] = await once(suite, 'exit');
  console.log(`Requests by process: ${counts.join(', ')}`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  server.close();
  server.closeAllConnections();
}
