/** 48 random bits: two lifetimes of a log never share a name. */
export function newEpoch(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('base64url');
}
