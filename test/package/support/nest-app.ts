// An app as the command line of Nest makes it, with the package as npm would publish it, outside of
// this repository.
import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../../..');
const BUILT_FROM = ['lib', 'README.md', 'LICENSE', 'CHANGELOG.md', 'package.json', 'nest-cli.json']
  .concat(['tsconfig.json', 'tsconfig.build.json']); // prettier-ignore
/** What the template has and no test needs. */
const UNUSED = /eslint|globals|prettier|oxlint|mau|coverage|supertest|ts-node/;

/** Of the tests that run it: Jest hands on what is meant for this repository alone. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, JEST_WORKER_ID: __, ...rest } = process.env;
  return { ...rest, NODE_ENV: 'test', PORT: '0', NO_COLOR: '1' };
}

export class NestApp {
  private constructor(
    private readonly temporary: string,
    readonly folder: string,
  ) {}

  /**
   * `cli` makes the app: the words before `new`. `extra` are packages to install besides the
   * template's.
   */
  static async create(cli: readonly string[], extra: Record<string, string>): Promise<NestApp> {
    const temporary = await mkdtemp(join(tmpdir(), 'nest-app-'));
    const app = new NestApp(temporary, join(temporary, 'app'));
    const options = ['new', 'app', '--skip-git', '--skip-install', '--package-manager', 'npm'];
    const [command = '', ...words] = cli;
    await run(temporary, command, ...words, ...options);
    const manifest = JSON.parse(await app.read('package.json')) as Manifest;
    const kept = Object.entries(manifest.devDependencies).filter(([name]) => !UNUSED.test(name));
    manifest.devDependencies = { ...Object.fromEntries(kept), ...extra };
    manifest.dependencies['nestjs-eventstream'] = `file:${await pack(join(temporary, 'package'))}`;
    await app.write({ 'package.json': JSON.stringify(manifest, null, 2) });
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    await app.run('npm', 'install', '--prefer-offline', ...quiet);
    return app;
  }

  read(path: string): Promise<string> {
    return readFile(join(this.folder, path), 'utf8');
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await writeFile(join(this.folder, path), text);
    }
  }

  /** Fails if there is nothing to replace, as where the template has changed. */
  async replace(path: string, ...pairs: (readonly [string, string])[]): Promise<void> {
    let text = await this.read(path);
    for (const [from, to] of pairs) {
      if (!text.includes(from)) throw new Error(`${path} has no ${from}:\n${text}`);
      text = text.replaceAll(from, to);
    }
    await this.write({ [path]: text });
  }

  /** Resolves with what the command prints; rejects with it if the command fails. */
  run(command: string, ...args: string[]): Promise<string> {
    return run(this.folder, command, ...args);
  }

  /** Starts the app, and resolves with the text of one of its streams that ends by itself. */
  async stream(main: string, path: string): Promise<string> {
    const child = spawn(process.execPath, [main], { cwd: this.folder, env: environment() });
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let printed = '';
        const look = (data: Buffer): void => {
          printed += String(data);
          const [, found] = /^url (\S+)$/m.exec(printed) ?? [];
          if (found !== undefined) resolve(found);
        };
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        child.once('exit', (code) => reject(new Error(`${main} ended with ${code}:\n${printed}`)));
      });
      return await (await fetch(`${url}${path}`)).text();
    } finally {
      child.kill();
    }
  }

  remove(): Promise<void> {
    return rm(this.temporary, { recursive: true, force: true });
  }
}

interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

/** Built in a copy: other tests may read `dist` meanwhile, or it may be old. */
async function pack(folder: string): Promise<string> {
  await mkdir(folder);
  for (const name of BUILT_FROM)
    await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await run(folder, join(root, 'node_modules/.bin/nest'), 'build');
  const packed = await run(folder, 'npm', 'pack', '--ignore-scripts', '--loglevel=error');
  return join(folder, packed.trim().split('\n').at(-1) ?? '');
}

async function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  const options = { cwd, env: environment(), timeout: 300_000, maxBuffer: 10_000_000 };
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, options);
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & Record<string, string>;
    throw new Error(`${message}\n${stdout}${stderr}`, { cause: error });
  }
}

/**
 * Events as a client gets them, without what only one of two servers writes: comments, ids,
 * reconnection times.
 */
export function eventsOf(stream: string): string[] {
  return stream
    .split('\n\n')
    .map((block) => block.replace(/^(:|id:|retry:).*\n?/gm, '').trim())
    .filter((block) => block !== '');
}
