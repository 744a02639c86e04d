/**
 * A stretch of an array, cut into the largest blocks that hold numbers only or none at all.
 *
 * @callback Visit
 * @param {boolean} isEmpty
 * @param {number} from index in the array
 * @param {number} to behind the last one
 * @param {number} least index
 * @param {number} greatest index
 * @returns {void}
 */

import { EMPTY, MIXED } from "./pyramid.js";
import { isValue } from "./values.js";

/** @typedef {import("./pyramid.js").Pyramid} Pyramid */

/**
 * @param {Pyramid} pyramid
 * @param {any[]} array
 * @param {number} from index
 * @param {number} to index behind the last one
 * @param {Visit} visit
 */
export function forEachBlock(pyramid, array, from, to, visit) {
  const { levels, dropped } = pyramid;
  let item = from + dropped;
  const end = to + dropped;
  while (item < end) {
    const index = item - dropped;
    let k = highestAt(levels, item, end);
    while (k >= 0 && gapsAt(levels[k], item) === MIXED) k -= 1;
    if (k < 0) {
      visit(!isValue(array[index]), index, index + 1, index, index);
      item += 1;
    } else {
      const level = levels[k];
      const place = item / level.size - level.first;
      const isEmpty = level.gaps.at(place) === EMPTY;
      visit(isEmpty, index, index + level.size, index + level.least.at(place), index + level.greatest.at(place));
      item += level.size;
    }
  }
}

/** @param {Pyramid["levels"][number]} level @param {number} item */
const gapsAt = (level, item) => level.gaps.at(item / level.size - level.first);

/** The highest level with a bucket that begins at this item and does not go beyond `end`; -1 if none has. @param {Pyramid["levels"]} levels @param {number} item @param {number} end */
function highestAt(levels, item, end) {
  let k = -1;
  while (k + 1 < levels.length) {
    const { size, first, next } = levels[k + 1];
    if (item % size || item + size > end) break;
    const bucket = item / size;
    if (bucket < first || bucket >= next) break;
    k += 1;
  }
  return k;
}
