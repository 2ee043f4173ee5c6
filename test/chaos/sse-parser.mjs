// The blocks of an event stream, told apart by nothing but the standard. The server writes LF only:
// a CR is reported.

export class SseParser {
  #rest = '';
  #block;

  constructor(onBlock) {
    this.onBlock = onBlock;
  }

  push(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === '') {
      const block = this.#block;
      this.#block = undefined;
      if (block !== undefined) this.onBlock(block);
      return;
    }
    const block = (this.#block ??= { isMalformed: false });
    if (line.includes('\r')) block.isMalformed = true;
    if (line.startsWith(':')) return;
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'id') block.id = value;
    else if (name === 'event') block.type = value;
    else if (name === 'data') block.data = 'data' in block ? [block.data, value].join('\n') : value;
    else if (name !== 'retry') block.isMalformed = true;
  }
}

/** `1.<epoch>.<position in base 36>` */
export function parseCursor(text) {
  const [version, epoch, digits] = text.split('.');
  const position = Number.parseInt(digits, 36);
  return version === '1' && Number.isSafeInteger(position) ? { epoch, position } : undefined;
}
