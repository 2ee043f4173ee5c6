// The time that all plots show, so that they move together. In seconds.

const WINDOW_S = 60;
/** The axis of a server that has just started. */
const LEAST_S = 5;

export const timeline = {
  newest: 0,
  oldest: Infinity,
  /** When the connection was broken: from, until. */
  away: [],

  include(seconds) {
    this.newest = Math.max(this.newest, seconds);
    this.oldest = Math.min(this.oldest, seconds);
  },

  /** The last minute; less, as long as there is less. */
  get span() {
    return Math.min(WINDOW_S, Math.max(LEAST_S, this.newest - this.oldest));
  },

  get start() {
    return this.newest - this.span;
  },

  /** Where the axis has a label: at most four besides the one at its end. */
  get splits() {
    const step = [1, 2, 5, 10, 15].find((one) => this.span / one <= 4);
    const count = Math.floor(this.span / step);
    return Array.from({ length: count + 1 }, (_, no) => this.newest - (count - no) * step);
  },
};
