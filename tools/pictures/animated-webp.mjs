// Joins screenshots to an animated WebP. The browser encodes: of each frame only the pixels that
// have changed, without loss. Here their files are joined, as the container format says:
// https://developers.google.com/speed/webp/docs/riff_container

/**
 * `frames` are PNG files with the time at which they were taken, the last one with how long it is
 * shown. `tab` is any tab of Chromium.
 */
export async function animatedWebp(tab, frames, lastMs) {
  const images = [];
  const parts = frames.map(({ png, at }, n) => {
    return { png: png.toString('base64'), at, until: frames[n + 1]?.at ?? at + lastMs };
  });
  const { width, height } = await tab.evaluate(begin, parts[0].png);
  for (const { png, at, until } of parts) {
    const image = await tab.evaluate(changed, png);
    if (image !== undefined) images.push({ ...image, at, until });
    // Nothing has changed: the one before is shown for longer.
    else images.at(-1).until = until;
  }
  return join(width, height, images);
}

/** In the tab. */
async function begin(png) {
  globalThis.bitmapOf = async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  };
  /**
   * To 255 and transparent, which makes a part half as large: those that are used most, and for
   * each other one the nearest of them. Of text these are shades of its edges.
   */
  globalThis.reduceColours = (pixels) => {
    const uses = new Map();
    for (const pixel of pixels) uses.set(pixel, (uses.get(pixel) ?? 0) + 1);
    uses.delete(0);
    const byUse = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a));
    const [kept, others] = [byUse.slice(0, 255), byUse.slice(255)];
    const channels = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
    const keptChannels = kept.map(channels);
    const nearest = new Map();
    for (const other of others) {
      const [r, g, b] = channels(other);
      const far = keptChannels.map(([R, G, B]) => (r - R) ** 2 + (g - G) ** 2 + (b - B) ** 2);
      nearest.set(other, kept[far.indexOf(Math.min(...far))]);
    }
    for (const [at, pixel] of pixels.entries()) pixels[at] = nearest.get(pixel) ?? pixel;
  };
  const { width, height } = await globalThis.bitmapOf(png);
  globalThis.canvas = new OffscreenCanvas(width, height);
  globalThis.before = undefined;
  return { width, height };
}

/** In the tab: where the frame differs from the one before, and what is there now. */
async function changed(png) {
  const { canvas, before } = globalThis;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(await globalThis.bitmapOf(png), 0, 0);
  const frame = context.getImageData(0, 0, canvas.width, canvas.height);
  const now = new Uint32Array(frame.data.buffer);
  globalThis.before = now.slice();
  let [left, top, right, bottom] = [canvas.width, canvas.height, -1, -1];
  for (let at = 0; at < now.length; at++) {
    if (now[at] === before?.[at]) {
      now[at] = 0; // Transparent: what is there stays.
      continue;
    }
    const [x, y] = [at % canvas.width, Math.floor(at / canvas.width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (right < 0) return undefined;
  globalThis.reduceColours(now);

  // The format counts the offset in steps of two.
  left -= left % 2;
  top -= top % 2;
  const part = new OffscreenCanvas(right - left + 1, bottom - top + 1);
  part.getContext('2d').putImageData(frame, -left, -top);
  // At the highest quality it is encoded without loss, as pixels of a palette.
  const blob = await part.convertToBlob({ type: 'image/webp', quality: 1 });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return { left, top, width: part.width, height: part.height, webp: base64 };
}

const ALPHA_AND_ANIMATION = 0b1_0010;

function join(width, height, images) {
  const frames = images.map((image) => {
    const content = [
      u24(image.left / 2),
      u24(image.top / 2),
      u24(image.width - 1),
      u24(image.height - 1),
      u24(Math.round(image.until - image.at)),
      Buffer.from([0]), // Blended with what is there, and left there.
      ...pixelsOf(Buffer.from(image.webp, 'base64')),
    ];
    return chunk('ANMF', content);
  });
  const file = [
    chunk('VP8X', [Buffer.from([ALPHA_AND_ANIMATION, 0, 0, 0]), u24(width - 1), u24(height - 1)]),
    chunk('ANIM', [Buffer.alloc(6)]), // Again and again.
    ...frames,
  ];
  return chunk('RIFF', [Buffer.from('WEBP'), ...file]);
}

/** The chunks with the pixels of a still WebP. */
function pixelsOf(webp) {
  const found = [];
  for (let at = 12; at < webp.length;) {
    const end = at + 8 + webp.readUInt32LE(at + 4);
    const next = end + (end % 2);
    if (['ALPH', 'VP8 ', 'VP8L'].includes(webp.toString('latin1', at, at + 4))) {
      found.push(webp.subarray(at, next));
    }
    at = next;
  }
  return found;
}

function chunk(name, contents) {
  const content = Buffer.concat(contents);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(content.length);
  return Buffer.concat([Buffer.from(name), size, content, Buffer.alloc(content.length % 2)]);
}

function u24(value) {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntLE(value, 0, 3);
  return bytes;
}
