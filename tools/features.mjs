// test/features.md lists what the library does and which faults it does not have. A tag above a
// test says what it shows: `// feature: 12, 15` or `// fault: 3`. `npm run docs:features` writes
// the tagged tests into that page.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
export const PAGE = join(root, 'test/features.md');
const TAG = /\/\/ (feature|fault): ([\d, ]+)$/gm;

/** The tests with tags, in the order of files and lines: `{ kind, number, path, title }`. */
export function taggedTests() {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.spec.ts'))
    .map((path) => `test/${path.replaceAll('\\', '/')}`)
    .sort()
    .flatMap((path) => taggedIn(path, readFileSync(join(root, path), 'utf8')));
}

function taggedIn(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const found = [];
  const visit = (node) => {
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      const comments = ts.getLeadingCommentRanges(text, node.pos) ?? [];
      const said = comments.map(({ pos, end }) => text.slice(pos, end)).join('\n');
      for (const [, kind, list] of said.matchAll(TAG)) {
        const title = titleOf(node.expression, source);
        if (title === undefined)
          throw new Error(`${path}: a tag stands above what is no test: ${kind} ${list}`);
        for (const number of list.split(','))
          found.push({ kind, number: Number(number), path, title });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  const tags = [...text.matchAll(TAG)].flatMap(([, , list]) => list.split(',')).length;
  if (tags !== found.length) throw new Error(`${path}: a tag stands above what is no test`);
  return found;
}

/** `undefined` for what is no test, and for tests that are skipped, which show nothing. */
function titleOf(call, source) {
  if (!/^\W*(describe|it|test)(?!\.(skip|todo|failing))/.test(call.expression.getText(source)))
    return undefined;
  const [title] = call.arguments;
  if (title && ts.isStringLiteralLike(title)) return title.text;
  return title && ts.isTemplateExpression(title) ? title.getText(source).slice(1, -1) : undefined;
}

/** As prettier leaves it. */
function code(text) {
  if (!text.includes('`')) return `\`${text}\``;
  return text.endsWith('`') ? `\`\` ${text} \`\`` : `\`\`${text}\`\``;
}

/** The page with the tests that are tagged now; the rest of it is written by hand. */
export function generated(page, tests) {
  let kind = 'feature';
  const lines = [];
  for (const line of page.split('\n')) {
    if (line.startsWith('## Faults')) kind = 'fault';
    if (/^ +- `+ ?test\//.test(line)) continue;
    lines.push(line);
    const [, number] = /^(\d+)\. /.exec(line) ?? [];
    if (number === undefined) continue;
    const indent = ' '.repeat(number.length + 2);
    const own = tests.filter((test) => test.kind === kind && test.number === Number(number));
    for (const { path, title } of own) lines.push(`${indent}- ${code(`${path} › ${title}`)}`);
  }
  return lines.join('\n');
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(PAGE, generated(readFileSync(PAGE, 'utf8'), taggedTests()));
}
