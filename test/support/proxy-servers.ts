import { describe } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, freePort, isAlive, startKeeper, unref } from './processes.js';
import { until } from './until.js';

const CERT_FILE = fileURLToPath(new URL('tls/cert.pem', import.meta.url));
const KEY_FILE = fileURLToPath(new URL('tls/key.pem', import.meta.url));

/** Debian's, and that of Fedora and others. */
const HTTPD_ROOT = ['/usr/lib/apache2', '/etc/httpd'].find((root) =>
  existsSync(join(root, 'modules/mod_http2.so')),
);

const SERVERS = {
  nginx: {
    file: 'nginx.conf',
    program: findProgram('nginx'),
    args: ({ config }: Run) => ['-c', config],
    around: aroundNginx,
  },
  httpd: {
    file: 'httpd.conf',
    program: HTTPD_ROOT === undefined ? undefined : findProgram('apache2', 'httpd'),
    args: ({ config }: Run) => ['-D', 'FOREGROUND', '-f', config],
    around: aroundHttpd,
  },
  haproxy: {
    file: 'haproxy.cfg',
    program: findProgram('haproxy'),
    args: ({ config }: Run) => ['-db', '-f', config],
    around: ({ global, site }: Around) => `${global}\n${site}`,
  },
  varnish: {
    file: 'varnish.vcl',
    program: findProgram('varnishd'),
    args: ({ config, folder, port }: Run) => [
      '-F',
      '-j',
      'none',
      '-n',
      join(folder, 'work'),
      '-a',
      `127.0.0.1:${port}`,
      '-f',
      config,
    ],
    // The version comes first, and of several subroutines with one name all run, in their order.
    around: ({ global, site }: Around) => site.replace('vcl 4.1;', `vcl 4.1;\n${global}`),
  },
};

export type ProxyName = keyof typeof SERVERS;
/** Without Varnish, which knows no TLS: it has tests of its own. */
export const PROXIES = ['nginx', 'httpd', 'haproxy'] as const satisfies ProxyName[];

/** Without one its suites are skipped, in CI they fail. */
const isSkipped = (name: ProxyName): boolean =>
  SERVERS[name].program === undefined && process.env.CI !== 'true';
for (const name of (Object.keys(SERVERS) as ProxyName[]).filter(isSkipped)) {
  process.stdout.write(`${name} is missing: what needs it is skipped\n`);
}

export const AVAILABLE_PROXIES = PROXIES.filter((name) => !isSkipped(name));

export const describeProxy = (name: ProxyName): typeof describe.skip =>
  isSkipped(name) ? describe.skip : describe;

/** The configuration that the guide shows. */
export function documented(name: ProxyName): string {
  return readFileSync(new URL(`../../docs/proxies/${SERVERS[name].file}`, import.meta.url), 'utf8');
}

export interface ProxyOptions {
  /** Where the app listens, instead of port 3000. */
  appPort: number;
  /** @default what the guide shows */
  site?: string;
  /**
   * Lines of the configuration around the site, as somebody else may have set them for all sites.
   */
  global?: string;
}

const running = new Set<ProxyServer>();

/** A real one on 127.0.0.1, in a temporary folder. */
export async function startProxyServer(
  name: ProxyName,
  options: ProxyOptions,
): Promise<ProxyServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new ProxyServer(name, await freePort(), options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      // Another worker may take the port after it was found free.
      if (!String(error).includes('Address already in use') || attempt === 5) throw error;
    }
  }
}

/** For `afterEach`: whatever still runs, also after a test that failed. */
export async function stopAllProxies(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

/** Made by `startProxyServer`. */
export class ProxyServer {
  readonly url: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  private readonly keeper = startKeeper(this.folder);
  private readonly config = join(this.folder, 'proxy.conf');
  private readonly errors = join(this.folder, 'error.log');
  private child: ChildProcess | undefined;

  constructor(
    private readonly name: ProxyName,
    private readonly port: number,
    { appPort, site = documented(name), global = '' }: ProxyOptions,
  ) {
    running.add(this);
    this.url = `${site.includes('443') ? 'https' : 'http'}://127.0.0.1:${port}`;
    const pem = join(this.folder, 'cert-and-key.pem');
    writeFileSync(pem, readFileSync(CERT_FILE, 'utf8') + readFileSync(KEY_FILE, 'utf8'));
    const here = site
      .replaceAll(':3000', `:${appPort}`)
      .replace(/(listen |bind |<VirtualHost )(\*?:)?(80|443)/g, `$1127.0.0.1:${port}`)
      .replace('/etc/ssl/certs/example.com.pem', CERT_FILE)
      .replace('/etc/ssl/private/example.com.key', KEY_FILE)
      .replace('/etc/ssl/private/example.com.pem', pem);
    const around = SERVERS[name].around;
    writeFileSync(this.config, around({ folder: this.folder, port, global, site: here }));
    writeFileSync(this.errors, '');
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const { program = this.name, args } = SERVERS[this.name];
    const child = spawn(
      program,
      args({ config: this.config, folder: this.folder, port: this.port }),
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        // A group of its own, so that its workers end with it.
        detached: true,
      },
    );
    this.child = child;
    let failure: Error | undefined;
    let output = '';
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    child.once('error', (error) => (failure = error));
    child.once('close', (code, signal) => {
      if (!running.has(this)) return;
      const log = readFileSync(this.errors, 'utf8').slice(-4_000);
      failure ??= new Error(`${this.name} ended with ${signal ?? code}:\n${output}${log}`);
    });
    if (child.pid !== undefined) this.keeper.stdin?.write(`-${child.pid}\n`);
    for (const handle of [child, child.stderr]) unref(handle);
    await until(`${this.name} listens`, () => {
      if (failure) throw failure;
      return listens(this.port);
    });
  }

  /** The process, its workers and its folder are gone. */
  async stop(): Promise<void> {
    running.delete(this);
    const { child } = this;
    if (child?.pid !== undefined && isAlive(child)) {
      const exited = once(child, 'exit');
      child.ref();
      process.kill(-child.pid, 'SIGKILL');
      await exited;
    }
    this.keeper.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

interface Run {
  readonly config: string;
  readonly folder: string;
  readonly port: number;
}

interface Around {
  readonly folder: string;
  readonly port: number;
  readonly global: string;
  readonly site: string;
}

function aroundNginx({ folder, global, site }: Around): string {
  return `
daemon off;
error_log ${folder}/error.log;
pid ${folder}/pid;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  ${global}
  ${site}
}`;
}

/** Some of them are part of the program on some systems. */
const HTTPD_MODULES =
  'mpm_event unixd authz_core proxy proxy_http headers socache_shmcb ssl http2 filter deflate';

function aroundHttpd({ folder, port, global, site }: Around): string {
  const modules = HTTPD_MODULES.split(' ').map(
    (name) => `<IfModule !${name}_module>
  LoadModule ${name}_module modules/mod_${name}.so
</IfModule>`,
  );
  return `
ServerRoot ${HTTPD_ROOT}
DefaultRuntimeDir ${folder}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
ServerName localhost
User #65534
Group #65534
Listen 127.0.0.1:${port}
${modules.join('\n')}
${global}
${site}
`;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
