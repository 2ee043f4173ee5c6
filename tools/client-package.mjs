// After a build: makes `nestjs-eventstream-client` in dist/client-package, the package for front
// ends. It has the files of the build that its entry points reach, and no others, so it cannot load
// Nest. Arguments: a folder that has been built (default: this repository), and where the package
// goes.
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix, resolve } from 'node:path';
import ts from 'typescript';

/**
 * Each entry point of the package, the one of `nestjs-eventstream` that it is, and the packages
 * that it may import. They become optional peers.
 */
const ENTRIES = JSON.parse(
  await readFile(join(import.meta.dirname, 'client-package/entries.json'), 'utf8'),
);
/**
 * Packages of types only. Their declarations go into the package, with their licence, because a
 * front end is to install one package.
 */
const COPIED = {
  '@standard-schema/spec': {
    from: 'dist/index.d.ts',
    to: 'dist/lib/schema/standard-schema.d.ts',
  },
};
const NAME = 'nestjs-eventstream-client';

const root = join(import.meta.dirname, '..');
const [built = root, out = join(built, 'dist/client-package')] = process.argv
  .slice(2)
  .map((path) => resolve(path));
const main = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

/** The texts of the package, by path. */
const files = new Map();
const problems = new Set();
for (const entry of ENTRIES) {
  for (const path of builtFilesOf(entry)) await addFile(posix.normalize(path), entry);
}
if (problems.size > 0) {
  console.error(`${NAME} was not made:\n${[...problems].join('\n')}`);
  process.exit(1);
}
for (const [path, text] of await papers()) files.set(path, text);
await rm(out, { recursive: true, force: true });
for (const [path, text] of files) {
  await mkdir(dirname(join(out, path)), { recursive: true });
  await writeFile(join(out, path), text);
}
await cp(join(root, 'LICENSE'), join(out, 'LICENSE'));
console.log(`${NAME} ${main.version}: ${files.size + 1} files in ${out}`);

/**
 * What `exports` of the main package names for an entry point: code and types, for both formats.
 */
function builtFilesOf({ from }) {
  const conditions = main.exports[from];
  if (conditions === undefined) {
    throw new Error(
      `package.json has no "${from}" in exports; correct tools/client-package/entries.json`,
    );
  }
  return Object.values(conditions).flatMap((paths) => Object.values(paths));
}

/** A file of the build with its map, its source, and all files that it imports. */
async function addFile(path, entry) {
  // Those that another entry point reaches too are checked again: its peers are others.
  if (checked(entry).has(path)) return;
  checked(entry).add(path);
  let text = await readFile(join(built, path), 'utf8');
  const found = importsOf(path, text);
  // From the end, so that the positions before stay right.
  for (const { specifier, start, end } of found.toReversed()) {
    const copy = COPIED[specifier];
    if (copy !== undefined && isTypes(path)) {
      const to = posix.relative(posix.dirname(path), copy.to).replace(/\.d\.ts$/, '.js');
      text = `${text.slice(0, start)}./${to}${text.slice(end)}`;
      files.set(copy.to, await copyOf(specifier, copy.from));
      continue;
    }
    const next = specifier?.startsWith('.') ? reached(path, specifier) : undefined;
    if (next !== undefined && existsSync(join(built, next))) await addFile(next, entry);
    else if (!entry.peers.includes(packageOf(specifier))) problems.add(refusal(path, specifier));
  }
  files.set(path, text);
  await addSource(path);
}

function checked(entry) {
  entry.checked ??= new Set();
  return entry.checked;
}

function isTypes(path) {
  return /\.d\.c?ts$/.test(path);
}

/** The file that an import of another file leads to; `undefined` outside of the build of lib/. */
function reached(path, specifier) {
  const next = posix.join(posix.dirname(path), specifier);
  if (!next.startsWith('dist/lib/')) return undefined;
  return isTypes(path) ? next.replace(/js$/, 'ts').replace(/(\.c?ts)$/, '.d$1') : next;
}

function packageOf(specifier = '') {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function refusal(path, specifier) {
  if (specifier === undefined) {
    return `${path} imports what only its run decides; import a file by its name`;
  }
  return `${path} imports "${specifier}", which is not in the package; move what needs it out of the file, or name it in \`peers\` in tools/client-package/entries.json`;
}

/**
 * All that a file imports, in any form, with the positions of its text. `specifier` is `undefined`
 * for an import of an expression.
 */
function importsOf(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const found = [...source.typeReferenceDirectives, ...source.referencedFiles].map(
    ({ fileName, pos, end }) => ({ specifier: fileName, start: pos, end }),
  );
  const add = (node) => {
    const isText = node !== undefined && ts.isStringLiteralLike(node);
    const [start, end] = isText ? [node.getStart() + 1, node.getEnd() - 1] : [0, 0];
    found.push({ specifier: isText ? node.text : undefined, start, end });
  };
  const visit = (node) => {
    if (ts.isCallExpression(node) && /^(import|require)$/.test(node.expression.getText())) {
      add(node.arguments[0]);
    }
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    else if (ts.isImportTypeNode(node)) add(node.argument.literal);
    else if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name)) add(node.name);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.sort((one, other) => one.start - other.start);
}

/** The declarations of another package, under its licence. */
async function copyOf(name, from) {
  const folder = join(root, 'node_modules', name);
  const { version, homepage } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const licence = (await readFile(join(folder, 'LICENSE'), 'utf8')).trim();
  const text = await readFile(join(folder, from), 'utf8');
  const title = `${name} ${version}, ${homepage}`;
  return `/*!\n${title}\n\n${licence}\n*/\n${text}`;
}

async function addSource(path) {
  const map = `${path}.map`;
  const text = await readFile(join(built, map), 'utf8');
  files.set(map, text);
  const { sourceRoot, sources } = JSON.parse(text);
  for (const source of sources) {
    const at = posix.join(posix.dirname(map), sourceRoot ?? '', source);
    files.set(at, await readFile(join(built, at), 'utf8'));
  }
}

async function papers() {
  const readme = await readFile(join(root, 'tools/client-package/README.md'), 'utf8');
  const repository = main.repository.url.replace(/^git\+|\.git$/g, '');
  return [
    ['README.md', readme.replaceAll('](../../', `](${repository}/blob/main/`)],
    ['package.json', `${JSON.stringify(manifest(), null, 2)}\n`],
  ];
}

function manifest() {
  const entries = ENTRIES.map(({ name, from }) => [name, main.exports[from]]);
  const [[, first], ...others] = entries;
  const types = others.map(([name, conditions]) => [
    name.slice(2),
    [conditions.default.types.slice(2)],
  ]);
  const peers = [...new Set(ENTRIES.flatMap((entry) => entry.peers))];
  return {
    name: NAME,
    version: main.version,
    description: 'Reads Server-Sent Events of nestjs-eventstream, in browsers and Node.',
    keywords: ['sse', 'server-sent-events', 'eventsource', 'event-stream', 'fetch', 'nestjs'],
    homepage: main.homepage,
    bugs: main.bugs,
    repository: main.repository,
    license: main.license,
    author: main.author,
    type: 'module',
    sideEffects: false,
    main: first.default.default,
    types: first.default.types,
    typesVersions: { '*': Object.fromEntries(types) },
    exports: { ...Object.fromEntries(entries), './package.json': './package.json' },
    engines: main.engines,
    ...(peers.length > 0 && {
      peerDependencies: Object.fromEntries(
        peers.map((peer) => [peer, main.peerDependencies[peer]]),
      ),
      peerDependenciesMeta: Object.fromEntries(peers.map((peer) => [peer, { optional: true }])),
    }),
  };
}
