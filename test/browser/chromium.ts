import { describe } from '@jest/globals';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** As root without a sandbox, and without a word to anybody but the test's own server. */
export const ARGUMENTS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser of this machine; says so where there is none. In CI that is a failure. */
function findChromium(): string | undefined {
  const found = NAMES.flatMap((name) =>
    (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)),
  ).find(isExecutable);
  if (found === undefined) {
    const missing = `there is no ${NAMES.join(', ')} in PATH`;
    if (process.env['CI'] === 'true') throw new Error(missing);
    process.stdout.write(`The browser suites are skipped: ${missing}\n`);
  }
  return found;
}

/** Where it is. */
export const CHROMIUM = findChromium();

export const describeChromium: typeof describe.skip =
  CHROMIUM === undefined ? describe.skip : describe;

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM ?? '', args: [...ARGUMENTS] });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
