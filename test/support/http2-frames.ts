/** What a client of HTTP/2 needs to write its own frames (RFC 9113). */
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const END_OF_REQUEST = 0x5;
export const CANCEL = Buffer.from([0, 0, 0, 8]);
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, stream: number, body = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** The types of frames, the last of which may be cut. */
export function typesOf(frames: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= frames.length; at += 9 + frames.readUIntBE(at, 3)) {
    types.push(frames[at + 3]!);
  }
  return types;
}

/** `GET https://a` and the path, by numbers of the static table of HPACK (RFC 7541). */
export function get(stream: number, path: string): Buffer {
  const headers = [Buffer.from([0x82, 0x87, 0x44, path.length]), Buffer.from(path)];
  return frame(
    HEADERS,
    END_OF_REQUEST,
    stream,
    Buffer.concat([...headers, Buffer.from([0x41, 1]), Buffer.from('a')]),
  );
}

const WIDEST = 0x7f_ff_ff_ff;
const FIRST_WINDOW = 65_535;

/** The server may send as much as it has: no window is ever full. */
export function wideWindows(): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(4, 0);
  setting.writeUInt32BE(WIDEST, 2);
  const update = Buffer.alloc(4);
  update.writeUInt32BE(WIDEST - FIRST_WINDOW, 0);
  return Buffer.concat([frame(SETTINGS, 0, 0, setting), frame(WINDOW_UPDATE, 0, 0, update)]);
}
