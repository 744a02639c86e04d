/**
 * Where the points of a line stand on x: as numbers, and whether each one is at or behind the one before it. Kept while an array grows
 * at the end and loses items in front, at the cost of what is new.
 */

import { parseDate } from "./dates.js";
import { Growing } from "./growing.js";
import { isValue } from "./values.js";

/** @typedef {import("../feeds/edits.js").Edits} Edits */

export class Order {
  length = 0;
  dropped = 0;
  /** What all of them are. @type {"number" | "date"} */ kind = "number";

  /** @type {any[]} */ #array;
  #rewritten = -1;
  /** Before this item there is one that is out of order, or of another kind. */ #brokenBefore = 0;
  /** Dates, as numbers. */ #dates = new Growing(new Float64Array(0));

  /** @param {any[]} array */
  constructor(array) {
    this.#array = array;
  }

  get isOrdered() {
    return this.#brokenBefore <= this.dropped;
  }

  /** Where a point stands, as a number. @param {number} index */
  at = (index) => (this.kind === "date" ? this.#dates.at(index) : this.#array[index]);

  /** Take in what has been done to the array. @param {Readonly<Edits>} edits */
  update({ dropped, rewritten }) {
    const array = this.#array;
    const kind = typeof array[0] === "string" ? "date" : "number";
    const end = dropped + array.length;
    if (rewritten !== this.#rewritten || end < this.dropped + this.length || kind !== this.kind) this.#forget(dropped, kind);
    this.#rewritten = rewritten;
    const from = Math.max(this.dropped + this.length, dropped);
    this.#dates.drop(dropped - this.dropped);
    this.dropped = dropped;
    this.length = array.length;
    this.#look(from, end);
  }

  /** @param {number} dropped @param {"number" | "date"} kind */
  #forget(dropped, kind) {
    this.kind = kind;
    this.dropped = dropped;
    this.length = 0;
    this.#brokenBefore = dropped;
    this.#dates = new Growing(new Float64Array(0));
  }

  /** @param {number} from @param {number} end */
  #look(from, end) {
    const array = this.#array;
    const { dropped } = this;
    const isDate = this.kind === "date";
    let before = from > dropped ? this.at(from - 1 - dropped) : -Infinity;
    for (let item = from; item < end; item++) {
      const given = array[item - dropped];
      const value = isDate ? parseDate(given) : given;
      if (isDate) this.#dates.push(value);
      if (!isValue(value)) this.#brokenBefore = item + 1;
      else if (!(value >= before)) this.#brokenBefore = item;
      before = value;
    }
  }
}

/** Of points that have no x of their own: each one is a step behind the one before it. */
export class Steps {
  isOrdered = true;
  kind = /** @type {const} */ ("number");
  length;
  at;

  /** @param {number} length @param {number} x0 @param {number} dx above 0 */
  constructor(length, x0, dx) {
    this.length = length;
    this.at = (/** @type {number} */ index) => x0 + index * dx;
  }
}
