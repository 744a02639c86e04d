/**
 * The columns of pixels of an axis. What is in view has columns of the screen; what is out of view, on either side, has columns as wide
 * as if all of the line were in view.
 *
 * Linear: what Plotly calls "l", the logarithm on a logarithmic axis.
 *
 * @typedef {[low: number, high: number]} Range linear
 */

/** More than there are columns of any screen. */
const FAR = 2 ** 40;
/** Ranges that are the same were computed in another way. */
const CLOSE = 0.999;

export class Columns {
  #isLog;
  #low;
  #high;
  #scale;
  #wholeLow;
  #wholeScale;

  /**
   * @param {object} axis
   * @param {boolean} axis.isLog
   * @param {Range} axis.view
   * @param {Range} axis.whole of everything on the axis
   * @param {number} axis.count of columns in view
   */
  constructor({ isLog, view: [low, high], whole: [wholeLow, wholeHigh], count }) {
    this.#isLog = isLog;
    this.#low = low;
    this.#high = high;
    this.#scale = high > low ? count / (high - low) : 0;
    this.#wholeLow = wholeLow;
    this.#wholeScale = wholeHigh > wholeLow ? count / (wholeHigh - wholeLow) : 0;
  }

  /** The column of a point: the further right, the greater. @param {number} x @returns {number} */
  of(x) {
    // Nothing on a logarithmic axis is further left than what it cannot show.
    const at = this.#isLog ? (x > 0 ? Math.log10(x) : -Infinity) : x;
    if (at === -Infinity) return at;
    if (at < this.#low) return Math.floor((at - this.#wholeLow) * this.#wholeScale) - FAR;
    if (at > this.#high) return Math.floor((at - this.#high) * this.#wholeScale) + FAR;
    return Math.floor((at - this.#low) * this.#scale);
  }

  /**
   * Whether a sample by these columns is as good as the whole line where that much of the axis is seen.
   *
   * @param {Range} seen
   * @param {number} count of columns of pixels that it has
   */
  suffice([low, high], count) {
    // Where everything is in one place, there is one column.
    if (!this.#wholeScale) return true;
    const needed = high > low ? (CLOSE * count) / (high - low) : 0;
    const slack = (1 - CLOSE) * (high - low);
    const isInView = low >= this.#low - slack && high <= this.#high + slack;
    return (isInView ? this.#scale : Math.min(this.#scale, this.#wholeScale)) >= needed;
  }
}
