/**
 * For the buckets of an array of numbers, where the least and the greatest of each one stand.
 *
 * A bucket of level k covers 2^k items, and begins at a multiple of 2^k of the index that an item keeps when others are dropped before
 * it. It is entered when it is complete, and never changes after that. So an item that is appended costs the same however many
 * there are, and what is dropped is forgotten with its buckets.
 */

import { Growing } from "./growing.js";
import { isOdd, isValue } from "./values.js";

/** Buckets of 8 are the smallest: fewer items are looked at one by one. */
const LOWEST = 3;

const WHOLE = 0;
/** Has items that are no numbers. */
export const MIXED = 1;
/** Has no number. */
export const EMPTY = 2;

/** @typedef {import("../feeds/edits.js").Edits} Edits */

class Level {
  /** Items of a bucket. */ size;
  /** Number of the first bucket that is held. */ first = 0;
  /** Where they stand in each bucket. */ least;
  greatest;
  gaps = new Growing(new Uint8Array(0));

  /** @param {number} level */
  constructor(level) {
    this.size = 2 ** level;
    const make = () => new Growing(level <= 8 ? new Uint8Array(0) : level <= 16 ? new Uint16Array(0) : new Uint32Array(0));
    this.least = make();
    this.greatest = make();
  }

  /** Number of the bucket that is entered next. */
  get next() {
    return this.first + this.gaps.length;
  }

  /** @param {number} least @param {number} greatest @param {number} gaps */
  push(least, greatest, gaps) {
    this.least.push(least);
    this.greatest.push(greatest);
    this.gaps.push(gaps);
  }

  /** Forget what begins before this item. @param {number} item */
  drop(item) {
    const first = Math.ceil(item / this.size);
    if (first <= this.first) return;
    for (const each of [this.least, this.greatest, this.gaps]) each.drop(first - this.first);
    this.first = first;
  }
}

export class Pyramid {
  /** How many items there are. */ length = 0;
  /** How many were there before the first. */ dropped = 0;
  /** @type {Level[]} */ levels = [];

  /** @type {any[]} */ #array;
  #rewritten = -1;
  /** The last item that is neither a number nor nothing. */ #lastOdd = -1;
  /** The last item that is no number. */ #lastGap = -1;

  /** @param {any[]} array */
  constructor(array) {
    this.#array = array;
  }

  /** Whether every item is a number or nothing. */
  get isPlain() {
    return this.#lastOdd < this.dropped;
  }

  /** Whether any item is no number. */
  get hasGaps() {
    return this.#lastGap >= this.dropped;
  }

  /** Take in what has been done to the array. @param {Readonly<Edits>} edits */
  update({ dropped, rewritten }) {
    const end = dropped + this.#array.length;
    if (rewritten !== this.#rewritten || end < this.dropped + this.length) this.#forget(dropped);
    this.#rewritten = rewritten;
    const from = Math.max(this.dropped + this.length, dropped);
    this.dropped = dropped;
    this.length = this.#array.length;
    for (const level of this.levels) level.drop(dropped);
    this.#look(from, end);
    this.#enterLowest(end);
    for (let k = 1; this.levels[k - 1].gaps.length > 1; k++) this.#enter(k, end);
  }

  /** @param {number} dropped */
  #forget(dropped) {
    this.levels = [];
    this.dropped = dropped;
    this.length = 0;
    this.#lastOdd = this.#lastGap = -1;
  }

  /** @param {number} from @param {number} end */
  #look(from, end) {
    const array = this.#array;
    const { dropped } = this;
    for (let item = from; item < end; item++) {
      const value = array[item - dropped];
      if (isValue(value)) continue;
      this.#lastGap = item;
      if (isOdd(value)) this.#lastOdd = item;
    }
  }

  /** @param {number} k @returns {Level} */
  #level(k) {
    if (k === this.levels.length) {
      const level = new Level(LOWEST + k);
      level.drop(this.dropped);
      this.levels.push(level);
    }
    return this.levels[k];
  }

  /** @param {number} end */
  #enterLowest(end) {
    const array = this.#array;
    const level = this.#level(0);
    const { size } = level;
    for (let begin = level.next * size; begin + size <= end; begin += size) {
      let least = -1;
      let greatest = -1;
      let count = 0;
      const base = begin - this.dropped;
      for (let i = 0; i < size; i++) {
        const value = array[base + i];
        if (!isValue(value)) continue;
        count += 1;
        if (least < 0 || value < array[base + least]) least = i;
        if (greatest < 0 || value > array[base + greatest]) greatest = i;
      }
      level.push(Math.max(0, least), Math.max(0, greatest), count === size ? WHOLE : count ? MIXED : EMPTY);
    }
  }

  /** Enter the buckets that are complete by now, each made of two. @param {number} k @param {number} end */
  #enter(k, end) {
    const array = this.#array;
    const below = this.levels[k - 1];
    const level = this.#level(k);
    const half = below.size;
    for (let bucket = level.next; (bucket + 1) * level.size <= end; bucket++) {
      const left = 2 * bucket - below.first;
      const gapsLeft = below.gaps.at(left);
      const gapsRight = below.gaps.at(left + 1);
      const base = bucket * level.size - this.dropped;
      let least = below.least.at(left);
      let greatest = below.greatest.at(left);
      const otherLeast = half + below.least.at(left + 1);
      const otherGreatest = half + below.greatest.at(left + 1);
      const isLeftEmpty = gapsLeft === EMPTY;
      if (gapsRight !== EMPTY) {
        // Of equals the first.
        if (isLeftEmpty || array[base + otherLeast] < array[base + least]) least = otherLeast;
        if (isLeftEmpty || array[base + otherGreatest] > array[base + greatest]) greatest = otherGreatest;
      }
      level.push(least, greatest, gapsLeft === gapsRight ? gapsLeft : MIXED);
    }
  }
}
