/** A trace with some of its points. */

import { pick } from "./picks.js";
import { orderOf, pyramidOf } from "./summaries.js";

/**
 * @typedef {object} Sample
 * @property {any} whole the bundle's trace
 * @property {any} handed what Plotly gets
 * @property {number[]} picks which points it has
 * @property {import("./columns.js").Columns} columns
 * @property {{name: string, type: string}} x axis, with the type that it is taken for
 * @property {{name: string, type: string}} y
 */

/** Arrays of a line with one member for each point. */
const OF_POINTS = ["text", "hovertext", "customdata", "ids", "hoverinfo", "texttemplate", "textposition"];
/** Members of a line that may hold such arrays, at any depth. */
const HOLDERS = ["marker", "textfont", "hoverlabel"];
/** What is an array there for another reason. */
const OF_ALL = new Set(["colorscale"]);

/**
 * @param {any} whole
 * @param {import("./columns.js").Columns} columns
 * @param {boolean} isLogY
 * @returns {number[] | null} null if all points are needed
 */
export function picksOf(whole, columns, isLogY) {
  const { y, connectgaps } = whole;
  const pyramid = pyramidOf(y);
  const picks = pick({ y, pyramid, xAt: orderOf(whole).at, columns, connectGaps: connectgaps === true });
  if (isLogY && picks.some((index) => y[index] <= 0)) {
    if (pyramid.hasGaps) return null;
    addLeastPositive(picks, y);
  }
  return picks;
}

/** Of what a logarithmic axis shows, the least decides how far it goes down. @param {number[]} picks @param {any[]} y */
function addLeastPositive(picks, y) {
  let least = -1;
  for (let index = 0; index < y.length; index++) if (y[index] > 0 && !(least >= 0 && y[index] >= y[least])) least = index;
  const place = picks.findIndex((index) => index >= least);
  if (least >= 0 && picks[place] !== least) picks.splice(place, 0, least);
}

/**
 * @param {any} whole
 * @param {number[]} picks
 * @returns {any} a trace of these points, which whoever writes it as JSON writes whole
 */
export function traceOf(whole, picks) {
  const { x, x0 = 0, dx = 1 } = whole;
  const handed = {
    ...whole,
    mode: "lines",
    // Plotly may move what it draws by three quarters of a pixel, to draw less. There is little to gain, and once is enough.
    line: { ...whole.line, simplify: false },
    x: x ? some(x, picks) : picks.map((index) => x0 + index * dx),
    y: some(whole.y, picks),
  };
  for (const name of OF_POINTS) if (Array.isArray(whole[name])) handed[name] = some(whole[name], picks);
  for (const name of HOLDERS) if (whole[name]) handed[name] = withSome(whole[name], picks);
  Object.defineProperty(handed, "toJSON", { value: () => whole });
  return handed;
}

/** @param {any[]} array @param {number[]} picks */
function some(array, picks) {
  const result = new Array(picks.length);
  for (let n = 0; n < picks.length; n++) result[n] = array[picks[n]];
  return result;
}

/** @param {any} holder @param {number[]} picks @returns {any} the same one if it holds no arrays */
function withSome(holder, picks) {
  if (typeof holder !== "object" || holder === null) return holder;
  let result = holder;
  for (const [name, member] of Object.entries(holder)) {
    const less = OF_ALL.has(name) ? member : Array.isArray(member) ? some(member, picks) : withSome(member, picks);
    if (less === member) continue;
    if (result === holder) result = { ...holder };
    result[name] = less;
  }
  return result;
}
