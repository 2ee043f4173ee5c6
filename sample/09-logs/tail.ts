import { open, stat, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

const CHUNK_BYTES = 65_536;
/**
 * A line that goes on for longer comes in pieces, so that a file without line breaks fills no
 * memory.
 */
const MAX_LINE_LENGTH = 65_536;

/**
 * What is appended to a file, line by line, as `tail -F` has it: the file may be replaced, emptied,
 * or missing for a while.
 */
export class Tail {
  private file: FileHandle | undefined;
  private position = 0;
  private decoder = new StringDecoder('utf8');
  private rest = '';

  constructor(private readonly path: string) {}

  /** Begins at the end of the file; one that comes later is read from its beginning. */
  async start(): Promise<void> {
    this.file = await openIfThere(this.path);
    this.position = (await this.file?.stat())?.size ?? 0;
  }

  /**
   * The lines since the last call, without what is not a whole line yet. Calls must not overlap.
   */
  async read(): Promise<string[]> {
    const lines = await this.readOn();
    if (await this.isCurrent()) return lines;
    // What was written to the old one since it was read, and then the new one from its beginning.
    lines.push(...(await this.readOn()), ...this.startAgain());
    await this.close();
    this.file = await openIfThere(this.path);
    return [...lines, ...(await this.readOn())];
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  private async readOn(): Promise<string[]> {
    const { file } = this;
    if (file === undefined) return [];
    const lines: string[] = [];
    const { size } = await file.stat();
    if (size < this.position) lines.push(...this.startAgain());
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, this.position);
      if (bytesRead === 0) return lines;
      this.position += bytesRead;
      lines.push(...this.split(this.decoder.write(buffer.subarray(0, bytesRead))));
    }
  }

  /**
   * Whether the path still names the file that is open. While it names none, more may come to the
   * old one.
   */
  private async isCurrent(): Promise<boolean> {
    const named = await ifThere(stat(this.path));
    if (named === undefined) return true;
    return (await this.file?.stat())?.ino === named.ino;
  }

  /**
   * From the beginning of a file. Answers the line that the old one ended with, if it was not a
   * whole one.
   */
  private startAgain(): string[] {
    const last = this.rest + this.decoder.end();
    this.position = 0;
    this.rest = '';
    return last === '' ? [] : [last];
  }

  private split(text: string): string[] {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    if (this.rest.length > MAX_LINE_LENGTH) {
      lines.push(this.rest);
      this.rest = '';
    }
    return lines.map((line) => line.replace(/\r$/, ''));
  }
}

function openIfThere(path: string): Promise<FileHandle | undefined> {
  return ifThere(open(path, 'r'));
}

async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
