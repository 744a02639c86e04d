/** What is kept beside the arrays of lines, for as long as the arrays are there. */

import { editsOf } from "../feeds/edits.js";
import { Order, Steps } from "./order.js";
import { Pyramid } from "./pyramid.js";

/** @type {WeakMap<any[], Pyramid>} */
const pyramids = new WeakMap();
/** @type {WeakMap<any[], Order>} */
const orders = new WeakMap();

/** @param {any[]} array @returns {Pyramid} */
export const pyramidOf = (array) => current(pyramids, array, () => new Pyramid(array));

/**
 * @param {{x?: any[], y: any[], x0?: number, dx?: number}} trace
 * @returns {Order | Steps}
 */
export function orderOf({ x, y, x0 = 0, dx = 1 }) {
  return x ? current(orders, x, () => new Order(x)) : new Steps(y.length, x0, dx);
}

/**
 * @template {{update: (edits: Readonly<import("../feeds/edits.js").Edits>) => void}} T
 * @param {WeakMap<any[], T>} known
 * @param {any[]} array
 * @param {() => T} make
 */
function current(known, array, make) {
  let summary = known.get(array);
  if (!summary) known.set(array, (summary = make()));
  summary.update(editsOf(array));
  return summary;
}
