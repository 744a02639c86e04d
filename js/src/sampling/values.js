/** Which members of an array Plotly draws: it takes whatever is no number, or is beyond this, for a gap. */

const FARTHEST = Number.MAX_VALUE * 1e-4;

/** @param {unknown} value */
export const isValue = (value) => typeof value === "number" && Math.abs(value) <= FARTHEST;

/** Neither a number nor nothing: Plotly may make something of it. @param {unknown} value */
export const isOdd = (value) => typeof value !== "number" && value !== null && value !== undefined;
