// The browser of this machine, for the tools that look at pages.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Resolves with nothing if there is no browser, except in CI, where that is an error. */
export async function launchChromium() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const executablePath = NAMES.flatMap((name) => folders.map((path) => join(path, name))).find(
    existsSync,
  );
  try {
    return await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    console.log(`      without a browser: ${executablePath ?? 'there is none'}`);
    return undefined;
  }
}
