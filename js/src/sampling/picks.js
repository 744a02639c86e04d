/**
 * Which points of a line make the picture that all of them make.
 *
 * Of the points in one column of pixels the first, the last, the least and the greatest do: between columns the line goes from the last
 * to the first, and within one it covers everything between the least and the greatest (M4, Jugel et al., VLDB 2014). A gap cuts the
 * points of a column into runs that are not connected, and the same is done for each of them.
 */

import { forEachBlock } from "./blocks.js";
import { isValue } from "./values.js";

/**
 * @typedef {object} Line
 * @property {any[]} y
 * @property {import("./pyramid.js").Pyramid} pyramid of y
 * @property {(index: number) => number} xAt where the points stand, in order
 * @property {{of: (x: number) => number}} columns
 * @property {boolean} connectGaps
 *
 * @typedef {{first: number, last: number, least: number, greatest: number}} Run
 */

/** @param {Line} line @returns {number[]} indices in order. A gap is kept as one of its own points */
export function pick(line) {
  const { y } = line;
  const { length } = y;
  const picker = line.pyramid.hasGaps ? new GapPicker(line) : new Picker(line);
  for (let from = 0; from < length; ) {
    const to = endOfColumn(line, from, length);
    picker.column(from, to);
    from = to;
  }
  return withEnds(picker.picks, length);
}

/** Plotly minds where the ends are, gap or not. @param {number[]} picks @param {number} length */
function withEnds(picks, length) {
  if (!length) return picks;
  if (picks[0] !== 0) picks.unshift(0);
  if (picks[picks.length - 1] !== length - 1) picks.push(length - 1);
  return picks;
}

/** Behind the last point that is in the column of the one at `from`. @param {Line} line @param {number} from @param {number} length */
function endOfColumn({ xAt, columns }, from, length) {
  const column = columns.of(xAt(from));
  let inside = from;
  let step = 1;
  while (inside + step < length && columns.of(xAt(inside + step)) === column) {
    inside += step;
    step *= 2;
  }
  let outside = Math.min(inside + step, length);
  while (outside - inside > 1) {
    const middle = (inside + outside) >>> 1;
    if (columns.of(xAt(middle)) === column) inside = middle;
    else outside = middle;
  }
  return outside;
}

/** Of a line without gaps. */
class Picker {
  /** @type {number[]} */ picks = [];
  #line;
  #least = 0;
  #greatest = 0;

  /** @param {Line} line */
  constructor(line) {
    this.#line = line;
  }

  /** @param {number} from @param {number} to */
  column(from, to) {
    const { pyramid, y } = this.#line;
    this.#least = this.#greatest = from;
    if (to - from > 2) forEachBlock(pyramid, y, from, to, this.#visit);
    add(this.picks, { first: from, last: to - 1, least: this.#least, greatest: this.#greatest });
  }

  /** @type {import("./blocks.js").Visit} */
  #visit = (isEmpty, from, to, least, greatest) => {
    const { y } = this.#line;
    if (y[least] < y[this.#least]) this.#least = least;
    if (y[greatest] > y[this.#greatest]) this.#greatest = greatest;
  };
}

/** Of a line with gaps. */
class GapPicker {
  /** @type {number[]} */ picks = [];
  #line;
  /** Of the column, in order. @type {Run[]} */ #runs = [];
  /** The last run may go on. */ #isOpen = false;
  /** A gap since the last point that was picked, or -1. */ #gap = -1;

  /** @param {Line} line */
  constructor(line) {
    this.#line = line;
  }

  /** @param {number} from @param {number} to */
  column(from, to) {
    const { pyramid, y } = this.#line;
    this.#runs = [];
    this.#isOpen = false;
    forEachBlock(pyramid, y, from, to, this.#visit);
    const runs = this.#visible();
    let begin = from;
    for (const run of runs) {
      if (!this.#line.connectGaps) this.#noteGap(begin, run.first);
      if (this.#gap >= 0) this.picks.push(this.#gap);
      this.#gap = -1;
      add(this.picks, run);
      begin = run.last + 1;
    }
    if (!this.#line.connectGaps) this.#noteGap(begin, to);
  }

  /** @type {import("./blocks.js").Visit} */
  #visit = (isEmpty, from, to, least, greatest) => {
    if (isEmpty) {
      this.#isOpen &&= this.#line.connectGaps;
      return;
    }
    const { y } = this.#line;
    if (!this.#isOpen) {
      this.#runs.push({ first: from, last: to - 1, least, greatest });
      this.#isOpen = true;
      return;
    }
    const run = this.#runs[this.#runs.length - 1];
    run.last = to - 1;
    if (y[least] < y[run.least]) run.least = least;
    if (y[greatest] > y[run.greatest]) run.greatest = greatest;
  };

  /** What is between two runs that were picked is a gap, or has one. @param {number} from @param {number} to */
  #noteGap(from, to) {
    for (let index = from; index < to && this.#gap < 0; index++) if (!isValue(this.#line.y[index])) this.#gap = index;
  }

  /**
   * A point alone between two gaps makes no picture. It is left out, unless it is one of the four of the column.
   */
  #visible() {
    const runs = this.#runs;
    if (runs.length < 3) return runs;
    const { y } = this.#line;
    let least = runs[0];
    let greatest = runs[0];
    for (const run of runs) {
      if (y[run.least] < y[least.least]) least = run;
      if (y[run.greatest] > y[greatest.greatest]) greatest = run;
    }
    const last = runs[runs.length - 1];
    return runs.filter((run) => run.first !== run.last || run === runs[0] || run === last || run === least || run === greatest);
  }
}

/** Add the points of a run in order, each once. @param {number[]} picks @param {Run} run */
function add(picks, { first, last, least, greatest }) {
  const low = Math.min(least, greatest);
  const high = Math.max(least, greatest);
  picks.push(first);
  if (low > first) picks.push(low);
  if (high > low && high > first) picks.push(high);
  if (last > high) picks.push(last);
}
