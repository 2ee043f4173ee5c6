/** The filters that a page has set. */
export interface Look {
  /** `''`: everything. */
  readonly search: string;
  /** Only connections that take too little. */
  readonly slow: boolean;
  /** The id of a process; `''`: all of them. */
  readonly process: string;
}

const MAX_LENGTH = 100;

/** From a query or from another process: any value. */
export function lookFrom(given: unknown): Look {
  const { search, slow, process } = Object(given) as Record<string, unknown>;
  return {
    search: textOf(search).trim(),
    slow: slow === true || slow === '1' || slow === 'true',
    process: textOf(process),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_LENGTH) : '';
}

/** Whether a text holds what is searched for, in capitals or not. */
export function matcher(search: string): (text: string) => boolean {
  const pattern = new RegExp(search.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`), 'i');
  return (text) => pattern.test(text);
}
