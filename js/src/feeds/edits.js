/**
 * What has been done to arrays that deltas change in place, beside appending to them.
 *
 * Whoever keeps something beside an array, such as a summary of it, learns here how much of that still holds.
 *
 * @typedef {object} Edits
 * @property {number} dropped how many items have been dropped from the front, ever. With it the index of an item in the array is one that stays
 * @property {number} rewritten how often items were changed in another way: whatever was known of the array is void
 */

/** @type {WeakMap<any[], Edits>} */
const known = new WeakMap();

const NONE = Object.freeze({ dropped: 0, rewritten: 0 });

/** @param {any[]} array @returns {Readonly<Edits>} */
export const editsOf = (array) => known.get(array) ?? NONE;

/** @param {any[]} array @param {number} count items are being dropped from its front */
export function noteDropped(array, count) {
  editsToChange(array).dropped += count;
}

/** @param {any[]} array of which items are being changed */
export function noteRewritten(array) {
  editsToChange(array).rewritten += 1;
}

/** @param {any[]} array @returns {Edits} */
function editsToChange(array) {
  let edits = known.get(array);
  if (!edits) known.set(array, (edits = { dropped: 0, rewritten: 0 }));
  return edits;
}
