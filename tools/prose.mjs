// Holds how this project is written (`npm run check:prose`): comments wrap at 100 columns, and words
// that stop a reader are out. With `--fix` it wraps the comments.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const WIDTH = 100;

/** What is out, and what to write instead. CONTRIBUTING has the glossary. */
const OUT = [
  [/\bin place of\b/i, 'instead of'],
  [/\banew\b/i, 'again'],
  [/\ball the same\b/i, 'still'],
  [/\bwho returns\b/i, 'a returning client'],
  [/\bwhat waits\b/i, 'the backlog'],
  [/\btell(?:s|ing)?[A-Z]\w*/, 'send…, log…, report… or resolve…'],
];
/** Records of the past and generated pages keep their words. */
const ELSEWHERE =
  /^(docs\/(decisions|api|public|images)\/|sample\/.*\/public\/|tools\/prose\.mjs$)/;

const files = execFileSync('git', ['ls-files', '-z', '*.ts', '*.cts', '*.js', '*.mjs', '*.md'], {
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && !ELSEWHERE.test(file));
const mayFix = process.argv.includes('--fix');
const faults = [];
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const isCode = !file.endsWith('.md');
  const fixed = isCode && mayFix ? wrapped(text) : text;
  if (fixed !== text) writeFileSync(file, fixed);
  for (const [n, line] of fixed.split('\n').entries()) {
    const at = `${file}:${n + 1}`;
    if (isCode && isComment(line) && line.length > WIDTH && !isUnbreakable(line)) {
      faults.push(`${at}: a comment of ${line.length} columns; they wrap at ${WIDTH}`);
    }
    for (const [word, instead] of OUT) {
      const found = word.exec(line)?.[0];
      if (found !== undefined) faults.push(`${at}: "${found}"; write "${instead}"`);
    }
  }
}
for (const fault of faults) console.error(fault);
if (faults.length > 0) {
  console.error(`${faults.length} faults; \`node tools/prose.mjs --fix\` wraps the comments`);
  process.exitCode = 1;
}

function isComment(line) {
  return /^\s*(\/\/|\/\*\*|\* )/.test(line);
}

/** A link, a table, or code. */
function isUnbreakable(line) {
  return /https?:\/\/\S+$/.test(line) || /^\s*\* \|/.test(line) || /@example|@ts-/.test(line);
}

/** Blocks of `//`, and of a doc comment. Only paragraphs with a line that is too long change. */
function wrapped(text) {
  const lines = text.split('\n');
  const out = [];
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n];
    const own = /^(\s*)\/\*\* (.*) \*\/$/.exec(line);
    if (own && line.length > WIDTH && !isUnbreakable(line)) {
      const [, indent, words] = own;
      out.push(`${indent}/**`, ...filled(words, `${indent} * `, `${indent} * `), `${indent} */`);
      continue;
    }
    const start = /^(\s*(?:\/\/|\*) )(- |\d+\. |@\w+ )?(.*)$/.exec(line);
    if (!start || isUnbreakable(line) || inCode(lines, n)) {
      out.push(line);
      continue;
    }
    const [, prefix, mark = '', rest] = start;
    const words = [rest];
    let isLong = line.length > WIDTH;
    while (lines[n + 1] !== undefined && continues(lines[n + 1], prefix)) {
      const next = lines[n + 1];
      isLong ||= next.length > WIDTH;
      words.push(next.slice(prefix.length).trim());
      n++;
    }
    const indent = mark === '- ' ? '  ' : '';
    if (isLong) out.push(...filled(words.join(' '), prefix + mark, prefix + indent));
    else out.push(...lines.slice(n - words.length + 1, n + 1));
  }
  return out.join('\n');
}

/** Whether a line is of the same paragraph as the one before it. */
function continues(line, prefix) {
  if (!line.startsWith(prefix)) return false;
  const rest = line.slice(prefix.length);
  return (
    rest.trim() !== '' &&
    !/^(- |\d+\. |@|\||`{3}|https?:|mutant:|feature:|fault:|oxlint)/.test(rest.trim())
  );
}

/** Between fences, or in an example of several lines. */
function inCode(lines, at) {
  let fences = 0;
  for (let n = at; n >= 0 && isComment(lines[n]); n--) {
    if (/^\s*\* (@|\/\*\*)/.test(lines[n])) {
      if (/@example/.test(lines[n])) return true;
      if (fences === 0) break;
    }
    if (lines[n].includes('```')) fences++;
  }
  return fences % 2 === 1 || lines[at].includes('```');
}

function filled(text, first, others) {
  const lines = [];
  let line = first;
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const isEmpty = line === first || line === others;
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = others + word;
    } else line += (isEmpty ? '' : ' ') + word;
  }
  lines.push(line);
  return lines;
}
