/** What is known of a plot's axes before Plotly draws it, and after. */

import { parseDate } from "./dates.js";

/**
 * @typedef {import("./columns.js").Range} Range
 * @typedef {{_length: number, type: string, range: any[]}} DrawnAxis
 */

/** The name of a trace's axis in a layout: `x2` is `xaxis2` there. @param {any} trace @param {"x" | "y"} letter */
export const axisOf = (trace, letter) => (trace[`${letter}axis`] ?? letter).replace(letter, `${letter}axis`);

/**
 * What the layout says of an axis; what a person has zoomed in the drawn one goes before, as when it is drawn.
 *
 * @param {any} layout
 * @param {any} drawn the layout of what is drawn
 * @param {string} name
 * @returns {any}
 */
export function axisIn(layout, drawn, name) {
  const axis = layout?.[name];
  const old = drawn?.[name];
  return (old?.autorange === false && axis?.autorange !== false ? old : axis) ?? {};
}

/** The type that an axis is told to have, or undefined. @param {any} axis */
export const typeOf = ({ type }) => (type === "-" ? undefined : type);

/**
 * The range that an axis is told to have.
 *
 * @param {any} axis
 * @param {string} type
 * @returns {Range | null} linear; null if Plotly finds one itself
 */
export function rangeOf({ range, autorange }, type) {
  if (!Array.isArray(range) || range.length !== 2 || (autorange !== undefined && autorange !== false)) return null;
  const ends = range.map((end) => (type === "date" && typeof end === "string" ? parseDate(end) : Number(end)));
  return ends.every((end, index) => Number.isFinite(end) && range[index] !== null)
    ? [Math.min(...ends), Math.max(...ends)]
    : null;
}

/** The range that a drawn axis shows. @param {DrawnAxis} axis @returns {Range | null} linear */
export const seenOf = ({ range, type }) => rangeOf({ range, autorange: false }, type);

/** Whether samples of numbers or dates can be made for such an axis, and not for one whose time has holes. @param {any} axis @param {"number" | "date"} kind @param {string} type */
export function suits({ rangebreaks, calendar = "gregorian" }, kind, type) {
  if (rangebreaks?.length || calendar !== "gregorian") return false;
  return kind === "date" ? type === "date" : type === "linear" || type === "log" || type === "date";
}
