/** 48 random bits, so that two lifetimes of a log never share an epoch. */
export function newEpoch(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('base64url');
}
