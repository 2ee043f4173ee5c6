import { existsSync } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, extname, join, relative, sep } from 'node:path';
import { Injectable, NotFoundException } from '@nestjs/common';
import { escapeHtml, highlighted, rendered } from './render.js';

/** What can be shown: nothing else of this machine. */
const SHOWN = ['sample', join('docs', 'guide')];

/** The folder of the project, from its sources and from its build. */
const ROOT = rootOf(import.meta.dirname);

/** Shows files of the project as pages: folders as lists, code with colours, Markdown as text. */
@Injectable()
export class FilesService {
  /** @throws NotFoundException for anything but the samples and the guide */
  async page(path: string): Promise<string> {
    const file = await realpath(join(ROOT, path)).catch(() => ROOT);
    const inside = relative(ROOT, file);
    if (!SHOWN.some((shown) => inside === shown || inside.startsWith(shown + sep))) {
      throw new NotFoundException(`There is no file ${path} here`);
    }
    return pageOf(inside.split(sep), await bodyOf(file, inside));
  }
}

async function bodyOf(file: string, path: string): Promise<string> {
  if (!(await stat(file)).isDirectory()) return show(file);
  // All code of all samples on one page would take seconds to make.
  return SHOWN.includes(path) ? contents(file, path) : list(file, path);
}

async function contents(folder: string, path: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  const entries = names.map((name) => {
    const href = `/files/${[...path.split(sep), name].map(encodeURIComponent).join('/')}`;
    return `<li><a href="${href}">${escapeHtml(name)}</a></li>`;
  });
  return `<ul class="index">${entries.join('')}</ul>`;
}

/** The code of a folder on one page, as far as it is text; what its page is made of comes last. */
async function list(folder: string, path: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && isText(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort((a, b) => a.split(sep).length - b.split(sep).length || a.localeCompare(b));
  const parts = files.map(async (file) => {
    const href = `/files/${[...path.split(sep), ...file.split(sep)].map(encodeURIComponent).join('/')}`;
    const heading = `<h2 id="${escapeHtml(file)}"><a href="${href}">${escapeHtml(file)}</a></h2>`;
    return `<section>${heading}${await show(join(folder, file))}</section>`;
  });
  const index = files.map(
    (file) => `<li><a href="#${escapeHtml(file)}">${escapeHtml(file)}</a></li>`,
  );
  return `<ul class="index">${index.join('')}</ul>${(await Promise.all(parts)).join('')}`;
}

async function show(file: string): Promise<string> {
  if (!isText(file)) throw new NotFoundException('This file is not text');
  const text = await readFile(file, 'utf8');
  return file.endsWith('.md') ? rendered(text) : highlighted(text, extname(file).slice(1));
}

function isText(name: string): boolean {
  return ['.ts', '.js', '.css', '.html', '.md', '.svg'].includes(extname(name));
}

function pageOf(path: readonly string[], body: string): string {
  const crumbs = path.map((part, at) => {
    const href = `/files/${path.slice(0, at + 1).join('/')}`;
    const isLink = at > 0 && at < path.length - 1;
    return isLink ? `<a href="${href}">${escapeHtml(part)}</a>` : escapeHtml(part);
  });
  const isGuide = path[0] === 'docs';
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${escapeHtml(path.at(-1) ?? '')}</title>
    <link rel="icon" href="/shared/favicon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/shared/base.css" />
    <link rel="stylesheet" href="/files.css" />
  </head>
  <body class="${isGuide ? 'guide' : 'code-page'}">
    <nav class="links" aria-label="Path"><a href="/" rel="up">All samples</a><span>${crumbs.join(' / ')}</span></nav>
    <main>${body}</main>
  </body>
</html>
`;
}

function rootOf(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootOf(dirname(folder));
}
