/** Arrays that hold nothing but plain values, however long they are: each item is looked at once. */

import { editsOf } from "./edits.js";

/** @typedef {{end: number, rewritten: number}} Known of the items dropped or held, how many were looked at */

/** @type {WeakMap<any[], Known>} */
const known = new WeakMap();

/** @param {any[]} array @returns {boolean} whether none of its items is an object */
export function isData(array) {
  const { dropped, rewritten } = editsOf(array);
  const before = known.get(array);
  const end = dropped + array.length;
  const holds = before?.rewritten === rewritten && before.end <= end;
  for (let index = holds ? Math.max(0, before.end - dropped) : 0; index < array.length; index++) {
    if (typeof array[index] === "object" && array[index] !== null) return false;
  }
  known.set(array, { end, rewritten });
  return true;
}
