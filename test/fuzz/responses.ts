/** One HTTP/1.1 response as it stands. */
export interface Response {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** As far as it has come, without its framing. */
  readonly body: Buffer[];
  isComplete: boolean;
}

type Framing = 'none' | 'chunked' | 'until closed' | number;

/**
 * Cuts what a server sends on one connection into responses. Whatever is not exactly HTTP/1.1 is an
 * error.
 */
export class ResponseReader {
  readonly all: Response[] = [];
  private rest: Buffer = Buffer.alloc(0);
  private framing: Framing = 'none';

  /** @param methods of the requests, in their order: the response to a HEAD has no body */
  constructor(private readonly methods: readonly string[]) {}

  /** @throws Error for what is no response */
  feed(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    while (this.rest.length > 0 && this.readPart());
  }

  /** The server has closed the connection. */
  end(): void {
    const last = this.all.at(-1);
    if (last !== undefined && this.framing === 'until closed') last.isComplete = true;
    if (this.rest.length > 0) throw new Error(`half a response: ${this.preview()}`);
  }

  /** Answers whether there may be more in what is left. */
  private readPart(): boolean {
    const last = this.all.at(-1);
    if (last === undefined || last.isComplete) return this.readHead();
    if (this.framing === 'chunked') return this.readChunk(last);
    const length = typeof this.framing === 'number' ? this.framing : this.rest.length;
    const part = this.take(Math.min(length, this.rest.length));
    last.body.push(part);
    if (typeof this.framing === 'number') {
      this.framing -= part.length;
      last.isComplete = this.framing === 0;
    }
    return true;
  }

  private readHead(): boolean {
    const end = this.rest.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.rest.length > 65_536) throw new Error(`no end of the head: ${this.preview()}`);
      return false;
    }
    const [first = '', ...lines] = this.take(end + 4)
      .toString('latin1', 0, end)
      .split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(first)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(first)}`);
    const headers = new Map(lines.map(headerOf));
    if (status < 200) return true;
    const framing = framingOf(status, headers, this.methods[this.all.length]);
    this.framing = framing;
    const isComplete = framing === 'none' || framing === 0;
    this.all.push({ status, headers, body: [], isComplete });
    return true;
  }

  private readChunk(response: Response): boolean {
    const end = this.rest.indexOf('\r\n');
    if (end < 0 && this.rest.length < 10) return false;
    const digits = this.rest.toString('latin1', 0, Math.max(end, 0));
    if (!/^[0-9a-f]{1,8}$/i.test(digits)) throw new Error(`no chunk: ${this.preview()}`);
    const length = Number.parseInt(digits, 16);
    const after = end + 2 + length;
    if (this.rest.length < after + 2) return false;
    if (this.rest.toString('latin1', after, after + 2) !== '\r\n') {
      throw new Error(`no end of a chunk: ${this.preview()}`);
    }
    const chunk = this.take(after + 2);
    response.isComplete = length === 0;
    if (length > 0) response.body.push(chunk.subarray(end + 2, after));
    return true;
  }

  private take(length: number): Buffer {
    const part = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    return part;
  }

  private preview(): string {
    return JSON.stringify(this.rest.toString('latin1', 0, 200));
  }
}

function headerOf(line: string): [string, string] {
  const match = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
  if (match === null) throw new Error(`no header: ${JSON.stringify(line)}`);
  const [, name = '', value = ''] = match;
  return [name.toLowerCase(), value];
}

function framingOf(
  status: number,
  headers: ReadonlyMap<string, string>,
  method: string | undefined,
): Framing {
  const length = headers.get('content-length');
  const coding = headers.get('transfer-encoding');
  if (length !== undefined && coding !== undefined) throw new Error('two lengths of one body');
  if (method === 'HEAD' || status === 204 || status === 304) return 'none';
  if (coding === 'chunked') return 'chunked';
  return length === undefined ? 'until closed' : Number(length);
}
