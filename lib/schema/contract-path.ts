import { preview, SseOptionsError } from '../ground/errors.js';

/** A segment that Express and Fastify read alike: plain text, or one whole parameter. */
const PLAIN = /^[\w\-.~%@,;=&$']+$/;
const PARAMETER = /^:([A-Za-z_$][\w$]*)$/;

/**
 * The parameter names of a contract's path, in order.
 * @throws SseOptionsError
 */
export function parametersOf(path: unknown): string[] {
  const refuse = (problem: string): never => {
    throw new SseOptionsError('sseContract().path', 'a path', path, problem);
  };
  if (typeof path !== 'string') return refuse(`expected a string, got ${preview(path)}`);
  const names: string[] = [];
  for (const segment of segmentsOf(path)) {
    const name = PARAMETER.exec(segment)?.[1];
    if (name === undefined && PLAIN.test(segment)) continue;
    const problem = `${preview(path)} has the segment ${preview(segment)}; use plain text, or one whole parameter such as ":id"`;
    if (name === undefined) return refuse(problem);
    if (names.includes(name)) {
      return refuse(`${preview(path)} has the parameter "${name}" twice; rename one`);
    }
    names.push(name);
  }
  return names;
}

interface UrlParts {
  readonly baseUrl?: string | URL;
  readonly params?: object | undefined;
  readonly query?: unknown;
}

/**
 * The URL of a path with its parameters.
 * @throws SseOptionsError for a parameter that is missing, unknown, or cannot be in a path
 */
export function urlOf(
  path: string,
  { baseUrl = '', params = {}, query = {} }: UrlParts = {},
): string {
  const base = String(baseUrl);
  if (/[?#]/.test(base)) {
    const problem = `${preview(base)} has a query or a fragment; pass only what comes before the path`;
    throw new SseOptionsError('baseUrl', 'a URL without a query', base, problem);
  }
  const given: Readonly<Record<string, unknown>> = { ...params };
  const names = new Set(parametersOf(path));
  for (const name of Object.keys(given)) {
    if (names.has(name)) continue;
    const problem = `the path ${preview(path)} has no such parameter; remove it`;
    throw new SseOptionsError(`params.${name}`, 'a parameter of the path', given[name], problem);
  }
  const segments = segmentsOf(path).map((segment) => {
    const name = PARAMETER.exec(segment)?.[1];
    return name === undefined ? segment : parameter(name, given[name]);
  });
  const search = queryOf(query as object);
  return `${base.replace(/\/+$/, '')}/${segments.join('/')}${search === '' ? '' : `?${search}`}`;
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function parameter(name: string, value: unknown): string {
  const isText = typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
  const text = isText ? String(value) : '';
  // A URL drops these segments, even if they are escaped.
  if (text === '' || text === '.' || text === '..') {
    throw new SseOptionsError(`params.${name}`, 'a non-empty string or a number', value);
  }
  return encodeURIComponent(text);
}

function queryOf(query: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, unknown][]) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one !== undefined && one !== null) search.append(name, textOf(name, one));
    }
  }
  return search.toString();
}

function textOf(name: string, value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    default:
      if (value instanceof Date) return value.toISOString();
  }
  const expected = 'text, a number, a boolean, a Date, or a list of these';
  throw new SseOptionsError(`query.${name}`, expected, value);
}
