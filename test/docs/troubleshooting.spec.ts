// The page that explains what the library says when something is wrong.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { root, textOf } from './documents.js';

const page = 'docs/guide/troubleshooting.md';
let copy: string;

/** What the tool makes of the page in the copy. */
async function update(): Promise<{ text: string; complaint: string }> {
  let complaint = '';
  try {
    await promisify(execFile)(process.execPath, [join(copy, 'tools/messages.mjs')]);
  } catch (error) {
    complaint = (error as { stderr: string }).stderr;
  }
  return { text: await readFile(join(copy, page), 'utf8'), complaint };
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'messages-'));
  for (const name of ['lib', 'tools/messages.mjs', page, '.prettierrc.json', 'package.json']) {
    await cp(join(root, name), join(copy, name), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rm(copy, { recursive: true, force: true }));

describe('the page of messages', () => {
  it('has all messages of the sources and no others, each with its cause and remedy', async () => {
    // If this fails: `node tools/messages.mjs`, and write what is missing.
    expect(await update()).toEqual({ text: textOf(page), complaint: '' });
  });

  it('has a place for each kind of message', async () => {
    const places = [...textOf(page).matchAll(/<!-- messages: (\w+) -->/g)].map(([, name]) => name);
    const codes = [...textOf('lib/ground/errors.ts').matchAll(/^ {2}\| '(SSE_\w+)'/gm)].map(
      ([, code]) => code,
    );
    expect(new Set(places)).toEqual(
      new Set([...codes, 'cause', 'client', 'http', 'log', 'testing']),
    );
  });

  it('loses a message that the sources lose, and gets a new one without an explanation', async () => {
    const [file, was] = ['lib/hub/rooms.ts', 'expected at least one room'];
    const path = join(copy, file);
    const source = await readFile(path, 'utf8');
    await writeFile(path, source.replace(was, 'expected a room or two'));
    const { text, complaint } = await update();
    expect(textOf(page)).toContain(was);
    expect(text).not.toContain(was);
    expect(complaint).toContain('`room: expected a room or two (got …)`');
  });
});
