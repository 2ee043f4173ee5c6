// Every text that the library says when something is wrong, collected from the sources: errors,
// HTTP answers, lines of the log. What is only known at run time is `…`. A page of the guide
// explains each; `node tools/messages.mjs` brings its tables up to date, keeps what is written
// there, and fails where an explanation is missing.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
export const PAGE = join(root, 'docs/guide/troubleshooting.md');
const UNKNOWN = '…';

const sources = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.includes('/page/'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(root, 'lib', path), 'utf8');
    return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  });
const classes = new Map();
for (const source of sources) {
  visit(source, (node) => {
    if (ts.isClassDeclaration(node) && /^Sse\w*Error$/.test(node.name?.text ?? ''))
      classes.set(node.name.text, node);
  });
}

/** The messages by the section of the page that explains them. */
export function collectMessages() {
  const sections = new Map();
  for (const source of sources) {
    visit(source, (node) => {
      for (const { section, text } of messagesOf(node, source.fileName)) {
        if (!/\w/.test(text)) continue;
        if (!sections.has(section)) sections.set(section, new Set());
        sections.get(section).add(text.replaceAll(/…+/g, UNKNOWN));
      }
    });
  }
  const inOrder = (one, other) => (one < other ? -1 : 1);
  return new Map([...sections].map(([name, texts]) => [name, [...texts].sort(inOrder)]));
}

function messagesOf(node, path) {
  if (ts.isNewExpression(node)) return messagesOfError(node, path);
  if (!ts.isCallExpression(node)) return [];
  const called = node.expression.getText();
  const argument = called === 'warnOnce' ? node.arguments[1] : node.arguments[0];
  // Only the client has no logger.
  const isOfClient = called === 'console.warn';
  if (!isOfClient && called !== 'warnOnce' && !/\blogger\.(warn|error|log)$/.test(called))
    return [];
  const section = isOfClient ? 'client' : 'log';
  return argument === undefined ? [] : textsOf(argument).map((text) => ({ section, text }));
}

/** A text that is a place at most, because a function got the rest from its caller. */
const SAYS_NOTHING = /(^|: )…+$/;

function messagesOfError(node, path) {
  const messages = messagesWith(node, path, new Map());
  if (!messages.some(({ text }) => SAYS_NOTHING.test(text))) return messages;
  const calls = callsAround(node);
  if (calls.length === 0) return messages;
  return calls.flatMap((known) => messagesWith(node, path, known));
}

function messagesWith(node, path, known) {
  const name = node.expression.getText();
  const of = (section, texts) => texts.map((text) => ({ section, text }));
  if (name.endsWith('Exception')) {
    const [body] = node.arguments ?? [];
    const message = body && ts.isObjectLiteralExpression(body) ? valueOf(body, 'message') : body;
    return message === undefined ? [] : of('http', textsOf(message, known));
  }
  if (name === 'Error') {
    const [message] = node.arguments ?? [];
    return message === undefined ? [] : of(sectionOf(path) ?? 'cause', textsOf(message, known));
  }
  if (!classes.has(name) || ts.isClassDeclaration(node.parent)) return [];
  const [[code], texts] = constructed(name, node.arguments, known);
  return of(sectionOf(path) ?? code, texts);
}

const sectionOf = (path) => /^(client|testing)\//.exec(path)?.[1];

/** Code and message of an error, from the constructor of its class. */
function constructed(name, passed, around) {
  const given = passed.map((argument) => textsOf(argument, around));
  if (name === 'SseError') return given;
  const maker = classes.get(name).members.find(ts.isConstructorDeclaration);
  const known = new Map();
  for (const [index, { name: parameter, initializer }] of maker.parameters.entries()) {
    if (ts.isObjectBindingPattern(parameter)) {
      for (const { name: flag, initializer: otherwise } of parameter.elements) {
        const value = passed[index] && valueOf(passed[index], flag.text);
        known.set(flag.text, [(value ?? otherwise)?.getText()]);
      }
      continue;
    }
    const texts = given[index] ?? (initializer ? textsOf(initializer, known) : [UNKNOWN]);
    known.set(parameter.text, texts);
  }
  let found;
  visit(maker.body, (node) => {
    if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.SuperKeyword) return;
    found = node.arguments.map((argument) => textsOf(argument, known));
  });
  return name === 'SseClientError' ? [given[0], found[0]] : found;
}

/** What an expression may be as a text: all that it may be. */
function textsOf(node, known = new Map()) {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return textsOf(node.expression, known); // prettier-ignore
  if (ts.isConditionalExpression(node)) {
    // A flag that is known decides.
    const [flag] = known.get(node.condition.getText()) ?? [];
    if (flag === 'true') return textsOf(node.whenTrue, known);
    if (flag === 'false') return textsOf(node.whenFalse, known);
    return [...textsOf(node.whenTrue, known), ...textsOf(node.whenFalse, known)];
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken)
    return joined([textsOf(node.left, known), textsOf(node.right, known)]);
  if (ts.isTemplateExpression(node)) {
    const spans = node.templateSpans.flatMap(({ expression, literal }) => [
      textsOf(expression, known),
      [literal.text],
    ]);
    return joined([[node.head.text], ...spans]);
  }
  if (ts.isElementAccessExpression(node)) {
    const table = declarationOf(node.expression);
    if (table && ts.isObjectLiteralExpression(table))
      // A spread may bring any text.
      return table.properties.flatMap(({ initializer }) =>
        initializer ? textsOf(initializer, known) : [UNKNOWN],
      );
  }
  if (!ts.isIdentifier(node)) return [UNKNOWN];
  const declared = known.get(node.text) ?? declarationOf(node);
  if (declared === undefined) return [UNKNOWN];
  return Array.isArray(declared) ? declared : textsOf(declared, known);
}

const joined = (parts) =>
  parts.reduce((texts, next) => texts.flatMap((text) => next.map((more) => text + more)), ['']);

/** What a constant of the same file is, where the name is one. */
function declarationOf(identifier) {
  for (let scope = identifier.parent; scope !== undefined; scope = scope.parent) {
    if (scope.parameters?.some(({ name }) => name.getText() === identifier.text)) return undefined;
    for (const statement of scope.statements ?? []) {
      if (!ts.isVariableStatement(statement)) continue;
      const { declarations } = statement.declarationList;
      const found = declarations.find(({ name }) => name.getText() === identifier.text);
      if (found !== undefined) return found.initializer;
    }
  }
  return undefined;
}

/** The function around a node that others call by its name. */
function functionAround(node) {
  let scope = node.parent;
  while (scope !== undefined && !ts.isFunctionLike(scope)) scope = scope.parent;
  const named = scope && ts.isArrowFunction(scope) ? scope.parent : scope;
  const hasName = named && (ts.isVariableDeclaration(named) || ts.isFunctionDeclaration(named));
  return hasName ? { name: named.name.getText(), parameters: scope.parameters } : undefined;
}

/** What each call in this file passes to the function around a node: texts by parameter. */
function callsAround(node) {
  const around = functionAround(node);
  const calls = [];
  if (around === undefined) return calls;
  visit(node.getSourceFile(), (call) => {
    if (!ts.isCallExpression(call) || call.expression.getText() !== around.name) return;
    const passed = around.parameters.flatMap(({ name }, index) => {
      const argument = call.arguments[index];
      return argument === undefined ? [] : [[name.getText(), textsOf(argument)]];
    });
    calls.push(new Map(passed));
  });
  return calls;
}

function valueOf(object, name) {
  const property = object.properties?.find((one) => one.name?.getText() === name);
  return property && (property.initializer ?? property.name);
}

function visit(node, look) {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

/** As code in a table, formatted as the page is. */
function cell(text) {
  const escaped = text.replaceAll('|', '\\|');
  return text.includes('`') ? `\`\` ${escaped} \`\`` : `\`${escaped}\``;
}

const ROW = /^\| (``.+?``|`[^`]+`) +\| (.*?) *\|$/gm;
/** Formatting may take the spaces away. */
const keyOf = (code) => code.replaceAll(/^`+ ?| ?`+$/g, '');

/** Those that the page does not explain. */
export function unexplained(page) {
  return [...page.matchAll(ROW)].filter(([, , why]) => why === '').map(([, text]) => text);
}

/** The page with tables of these messages. What it explains already stays. */
export function updated(page, sections) {
  const explained = new Map([...page.matchAll(ROW)].map(([, code, why]) => [keyOf(code), why]));
  const tables = page.replaceAll(
    /(<!-- messages: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_all, start, section, end) => {
      const rows = (sections.get(section) ?? []).map(
        (text) => `| ${cell(text)} | ${explained.get(keyOf(cell(text))) ?? ''} |\n`,
      );
      return `${start}\n| message | cause and remedy |\n| --- | --- |\n${rows.join('')}\n${end}`;
    },
  );
  return format(tables, { ...options, parser: 'markdown' });
}

const options = await resolveConfig(PAGE);

if (process.argv[1] === import.meta.filename) {
  const page = await updated(readFileSync(PAGE, 'utf8'), collectMessages());
  writeFileSync(PAGE, page);
  const open = unexplained(page);
  if (open.length > 0) {
    console.error(`docs/guide/troubleshooting.md has to explain:\n${open.join('\n')}`);
    process.exitCode = 1;
  }
}
