/** Copies of JSON values, for whoever changes what it is given. Much cheaper than going through text. */

import { isData } from "./feeds/data.js";

/**
 * An array of plain values that is longer than this is data, which neither Visdom's panes nor Plotly write into. What they do write into
 * is short: the range of an axis, a position.
 */
const DATA_LENGTH = 100;

/**
 * A copy that shares nothing with the value.
 *
 * @template T
 * @param {T} value
 * @returns {T}
 */
export const copyJson = (value) => copy(value, Number.POSITIVE_INFINITY);

/**
 * A copy that shares data with the value: its long arrays of numbers and other plain values, and nothing else. Data changes when the value
 * does.
 *
 * @template T
 * @param {T} value
 * @returns {T}
 */
export const copyButShareData = (value) => copy(value, DATA_LENGTH);

/**
 * @template T
 * @param {T} value
 * @param {number} longest array of plain values that is copied
 * @returns {T}
 */
function copy(value, longest) {
  if (Array.isArray(value)) {
    if (value.length > longest && isData(value)) return value;
    const items = /** @type {any} */ (value.slice());
    // Most arrays hold numbers: only what can be changed is visited.
    for (let index = 0; index < items.length; index++) {
      if (isChangeable(items[index])) items[index] = copy(items[index], longest);
    }
    return items;
  }
  if (!isChangeable(value)) return value;
  // Not by assignment, which would make "__proto__" the prototype.
  return /** @type {any} */ (
    Object.fromEntries(Object.entries(/** @type {any} */ (value)).map(([name, member]) => [name, copy(member, longest)]))
  );
}

/** @param {unknown} value */
const isChangeable = (value) => typeof value === "object" && value !== null;
