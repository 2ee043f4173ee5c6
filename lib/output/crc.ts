/** The polynomial of gzip's CRC-32, with its bits reversed. */
const POLYNOMIAL = 0xedb88320 | 0;

/** The product of two polynomials modulo that of CRC-32. Bit 31 is the coefficient of 1. */
function product(one: number, other: number): number {
  let sum = 0;
  for (let bit = 0; bit < 32; bit++) {
    // No branches: the bits are random, and a wrong prediction costs more than the rest.
    sum ^= other & (one >> 31);
    one <<= 1;
    other = (other >>> 1) ^ (POLYNOMIAL & -(other & 1));
  }
  return sum;
}

/** Entry `n` moves a CRC by 2 to the power of `n` bytes. */
const SHIFTS: readonly number[] = Array.from(
  { length: 32 },
  ((shift) => () => {
    const current = shift;
    shift = product(shift, shift);
    return current;
  })(0x00800000),
);

/** What moves the CRC of a text by this many bytes that follow it. At most 2 GiB. */
export function shiftOf(bytes: number): number {
  let shift = 1 << 31;
  for (let bit = 0; bytes >> bit > 0; bit++) {
    if (((bytes >> bit) & 1) === 1) shift = product(shift, SHIFTS[bit]!);
  }
  return shift;
}

/**
 * The CRC of two texts, from the CRC of each and the `shiftOf()` the second one's length. It costs
 * the same for any length, and the second text need not be read again for each reader.
 */
export function combined(first: number, second: number, shift: number): number {
  return product(first, shift) ^ second;
}
