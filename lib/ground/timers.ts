/** The longest delay of a timer (24 days). Node turns a longer one into 1 ms. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Whole milliseconds: a fraction would cost each connection a heap number. */
export function wholeNow(): number {
  return Math.floor(performance.now());
}
