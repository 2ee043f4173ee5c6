import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The style sheets, in the order in which they are applied: later rules win. */
const STYLES = [
  'base.css',
  'page.css',
  'lists.css',
  'happenings.css',
  'dialogs.css',
  'room.css',
  'widths.css',
];

/** What the page has to know before its first request. */
interface PageOptions {
  readonly signIn: boolean;
  readonly testEvents: boolean;
}

/**
 * The page with inline style and script. It needs no other file, so it works behind any prefix,
 * proxy or trailing slash. The policy allows only this style and script.
 */
export function readPage({ signIn, testEvents }: PageOptions): Page {
  const [style, script] = [STYLES.map(read).join('\n'), scriptFrom('app.js')];
  const flags = `${signIn ? ' data-sign-in' : ''}${testEvents ? ' data-test-events' : ''}`;
  const html = read('index.html')
    .replace('<html lang="en">', `<html lang="en"${flags}>`)
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

const IMPORT = /^import [^;]*? from '\.\/([^']+)';\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|const) (\w+))/gm;

/**
 * Joins a module and its imports into one script. Each module has its own scope and follows its
 * imports. Exported names must be unique.
 */
function scriptFrom(name: string, known = new Set<string>()): string {
  if (known.has(name)) return '';
  known.add(name);
  const text = read(name);
  const imported = [...text.matchAll(IMPORT)].map(([, file = '']) => scriptFrom(file, known));
  const names = [...text.matchAll(EXPORT)].map(([, exported]) => exported);
  const body = text.replaceAll(IMPORT, '').replaceAll(EXPORT, '');
  return [...imported, `const { ${names.join(', ')} } = (() => {\n${body}return { ${names.join(', ')} };\n})();\n`].join(''); // prettier-ignore
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
