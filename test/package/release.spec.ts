// How a version is made: `npm version` in a repository like this one.
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const folders: string[] = [];
let folder: string;

const run = async (command: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)(command, args, { cwd: folder })).stdout.trim();

const git = (...args: string[]): Promise<string> =>
  run('git', '-c', 'user.name=a', '-c', 'user.email=a@example', ...args);

const changelog = (): Promise<string> => readFile(join(folder, 'CHANGELOG.md'), 'utf8');

async function commit(text: string): Promise<void> {
  await writeFile(join(folder, 'CHANGELOG.md'), text);
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'A change');
}

/** What only the maintainers know. */
const FILLED_IN = {
  author: 'Ann <ann@example.org>',
  bugs: { url: 'https://example.org/x/issues' },
  homepage: 'https://example.org/x',
  repository: { type: 'git', url: 'git+https://example.org/x.git' },
};

async function writeManifest(fields: object): Promise<void> {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const { preversion, version: versionScript, prepublishOnly } = scripts;
  const own = { preversion, version: versionScript, prepublishOnly };
  const manifest = { name: 'x', version: '0.1.0', ...fields, scripts: own };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
}

/** The tests may have been started without scripts, which `npm` hands on. */
const version = (increment: string): Promise<string> =>
  run('npm', 'version', increment, '--ignore-scripts=false', '--loglevel=error');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'release-'));
  folders.push(folder);
  await mkdir(join(folder, 'tools'));
  for (const tool of ['tools/release-changelog.mjs', 'tools/release-manifest.mjs']) {
    await copyFile(join(root, tool), join(folder, tool));
  }
  await writeManifest(FILLED_IN);
  await git('init', '--quiet');
  await git('config', 'user.name', 'a');
  await git('config', 'user.email', 'a@example');
});
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true, force: true }))));

describe('npm version', () => {
  it('makes a commit and a tag, whose changelog has the version', async () => {
    await commit('# Changelog\n\n## Unreleased\n\n- One.\n');
    await version('minor');
    expect(await git('describe', '--tags')).toBe('v0.2.0');
    const today = new Date().toISOString().slice(0, 10);
    const first = `## 0.2.0 (${today})\n\n- One.\n`;
    expect(await changelog()).toBe(`# Changelog\n\n## Unreleased\n\n${first}`);
    expect(await git('show', 'v0.2.0:CHANGELOG.md')).toContain('## 0.2.0');
    expect(await git('status', '--porcelain')).toBe('');

    await commit(`# Changelog\n\n## Unreleased\n\n- Two.\n\n${first}`);
    await version('patch');
    expect(await changelog()).toBe(
      `# Changelog\n\n## Unreleased\n\n## 0.2.1 (${today})\n\n- Two.\n\n${first}`,
    );
  }, 30_000);

  it.each([
    ['nothing has changed', '## Unreleased\n\n## 0.1.0 (2026-11-21)\n\n- One.\n'],
    ['the changelog has no such heading', '## 0.1.0 (2026-11-21)\n\n- One.\n'],
  ])(
    'makes none where %s',
    async (_title, text) => {
      await commit(text);
      await expect(version('patch')).rejects.toThrow('expected changes under one heading');
      expect(await git('tag')).toBe('');
      expect(await changelog()).toBe(text);
    },
    30_000,
  );
});

describe('a manifest with placeholders', () => {
  const url = 'https://example.invalid/x';
  it.each([
    [
      'in all fields',
      { author: 'x <x@example.invalid>', bugs: { url }, homepage: url, repository: { url } },
      'author, bugs, homepage, repository',
    ],
    ['in one field', { ...FILLED_IN, bugs: { url } }, 'bugs'],
    ['or without a field', { ...FILLED_IN, repository: undefined }, 'repository'],
  ])(
    'makes no version and is not published: %s',
    async (_title, fields, missing) => {
      await writeManifest(fields);
      await commit('# Changelog\n\n## Unreleased\n\n- One.\n');
      const line = `package.json: fill in ${missing} before a release; "example.invalid" is a placeholder`;
      await expect(version('minor')).rejects.toThrow(line);
      expect(await git('tag')).toBe('');
      const publish = run('npm', 'publish', '--dry-run', '--offline', '--ignore-scripts=false');
      await expect(publish).rejects.toThrow(line);
    },
    30_000,
  );
});
