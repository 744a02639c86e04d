/** Which of a plot's traces are drawn by a sample, and by which columns of pixels. */

import { axisIn, axisOf, rangeOf, suits, typeOf } from "./axes.js";
import { Columns } from "./columns.js";
import { isLine } from "./rules.js";
import { orderOf, pyramidOf } from "./summaries.js";

/**
 * @typedef {import("./columns.js").Range} Range
 *
 * @typedef {object} Candidate
 * @property {number} index of the trace
 * @property {any} trace
 * @property {string} xAxis
 * @property {string} yAxis
 * @property {ReturnType<typeof orderOf>} order
 *
 * @typedef {object} Planned
 * @property {number} index of the trace
 * @property {any} trace
 * @property {Columns} columns
 * @property {{name: string, type: string}} x axis, with the type that it is taken for
 * @property {{name: string, type: string}} y
 *
 * @typedef {object} Page what it shows
 * @property {any} layout that is asked for
 * @property {any} drawn the layout of what is drawn, if anything is
 * @property {number} count of columns of pixels: at least as many as the axis has
 */

/** A line with no more points than that for each column is left as it is. */
const FEW = 4;

/** Whether it may be worth a sample. @param {any} trace @param {number} count of columns */
export const isLong = (trace, count) => Array.isArray(trace?.y) && trace.y.length > FEW * count;

/** @param {any[]} traces @param {Page} page @returns {Planned[]} */
export function plan(traces, { layout, drawn, count }) {
  const candidates = traces.flatMap((trace, index) => (isLong(trace, count) ? candidate(trace, index) : []));
  /** @type {Planned[]} */
  const planned = [];
  for (const [name, members] of byAxis(candidates)) {
    const axis = axisIn(layout, drawn, name);
    const type = typeOf(axis) ?? inferredType(traces, name, members);
    if (type === null || !members.every(({ order }) => suits(axis, order.kind, type))) continue;
    const columns = columnsOf(axis, type, members, count);
    if (!columns) continue;
    for (const { index, trace, yAxis } of members) {
      const vertical = axisIn(layout, drawn, yAxis);
      const yType = typeOf(vertical) ?? "linear";
      if (!suits(vertical, "number", yType)) continue;
      planned.push({ index, trace, columns, x: { name, type }, y: { name: yAxis, type: yType } });
    }
  }
  return planned;
}

/** @param {Candidate[]} candidates @returns {Map<string, Candidate[]>} by the name of their x axis */
function byAxis(candidates) {
  /** @type {Map<string, Candidate[]>} */
  const groups = new Map();
  for (const each of candidates) groups.set(each.xAxis, [...(groups.get(each.xAxis) ?? []), each]);
  return groups;
}

/** @param {any} trace @param {number} index @returns {Candidate[]} one or none */
function candidate(trace, index) {
  if (!isLine(trace)) return [];
  const order = orderOf(trace);
  if (!order.isOrdered || !pyramidOf(trace.y).isPlain) return [];
  return [{ index, trace, xAxis: axisOf(trace, "x"), yAxis: axisOf(trace, "y"), order }];
}

/**
 * Plotly finds the type of an axis by its first trace. All must agree here.
 *
 * @param {any[]} traces
 * @param {string} name
 * @param {Candidate[]} members
 */
function inferredType(traces, name, members) {
  const { kind } = members[0].order;
  const isString = kind === "date";
  const agree =
    members.every(({ order }) => order.kind === kind) &&
    traces.every(({ x, ...trace }) => axisOf(trace, "x") !== name || !x?.length || (typeof x[0] === "string") === isString);
  return agree ? (isString ? "date" : "linear") : null;
}

/** @param {any} axis @param {string} type @param {Candidate[]} members @param {number} count */
function columnsOf(axis, type, members, count) {
  const isLog = type === "log";
  const visible = members.filter(({ trace: { visible = true } }) => visible === true);
  const whole = extent(members, isLog);
  if (!whole) return null;
  const view = rangeOf(axis, type) ?? extent(visible, isLog) ?? whole;
  return new Columns({ isLog, view, whole, count });
}

/** From where to where lines go. @param {Candidate[]} members @param {boolean} isLog @returns {Range | null} linear */
function extent(members, isLog) {
  let low = Infinity;
  let high = -Infinity;
  for (const { order } of members) {
    const [first, last] = [firstShown(order, isLog), order.at(order.length - 1)];
    low = Math.min(low, isLog ? Math.log10(first) : first);
    high = Math.max(high, isLog ? Math.log10(last) : last);
  }
  return Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
}

/** The first x that the axis can show. @param {Candidate["order"]} order @param {boolean} isLog */
function firstShown({ at, length }, isLog) {
  if (!isLog || at(0) > 0) return at(0);
  let hidden = 0;
  let shown = length;
  while (shown - hidden > 1) {
    const middle = (hidden + shown) >>> 1;
    if (at(middle) > 0) shown = middle;
    else hidden = middle;
  }
  return shown < length ? at(shown) : Infinity;
}
