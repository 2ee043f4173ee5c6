import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The page with inline style and script. It needs no other file, so it works behind any prefix,
 * proxy or trailing slash. The policy allows only this style and script.
 */
export function readPage(): Page {
  const [style, script] = [read('style.css'), read('app.js')];
  const html = read('index.html')
    .replace('<link rel="stylesheet" href="style.css" />', () => `<style>${style}</style>`)
    .replace(
      '<script type="module" src="app.js"></script>',
      () => `<script type="module">${script}</script>`,
    );
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // No text becomes HTML.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy.join('; '),
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
  return { html, headers };
}

function read(name: string): string {
  return readFileSync(join(ownFolder(), 'page', name), 'utf8');
}

/** Not `import.meta`, which does not compile if a test runner turns this file into CommonJS. */
function ownFolder(): string {
  const usual = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace') ?? { value: undefined };
  Error.prepareStackTrace = (_error, [site]) => site?.getFileName();
  const file = new Error().stack ?? '';
  Object.defineProperty(Error, 'prepareStackTrace', usual);
  return dirname(file.startsWith('file:') ? fileURLToPath(file) : file);
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
