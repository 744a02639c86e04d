/** Which traces may be drawn by a sample of their points, as far as their attributes say: lines, and nothing else. */

/** Plotly draws markers too, unless it is told otherwise, up to so many points. */
const MARKERS_UP_TO = 20;

/** Attributes that make more than a line of the points, or number them. */
const MORE_THAN_A_LINE = [
  "stackgroup",
  "groupnorm",
  "transforms",
  "selectedpoints",
  "error_x",
  "error_y",
  "xperiod",
  "yperiod",
  "xcalendar",
  "ycalendar",
  "y0",
  "dy",
];

/** A hover text that tells the number of its point. */
const NUMBERED = /%\{point/;

/**
 * @param {any} trace
 * @returns {boolean}
 */
export function isLine(trace) {
  const { type = "scatter", mode, fill = "none", line, x, y, hovertemplate } = trace ?? {};
  if ((type !== "scatter" && type !== "scattergl") || !Array.isArray(y)) return false;
  if (mode === undefined ? y.length <= MARKERS_UP_TO : mode !== "lines") return false;
  if (fill !== "none" || MORE_THAN_A_LINE.some((name) => trace[name] !== undefined)) return false;
  // What is dashed is dashed along the way, which is another with fewer points.
  if ((line?.shape ?? "linear") !== "linear" || (line?.dash ?? "solid") !== "solid") return false;
  if (Array.isArray(hovertemplate) || (typeof hovertemplate === "string" && NUMBERED.test(hovertemplate))) return false;
  return Array.isArray(x) ? x.length === y.length : x === undefined && hasSteps(trace);
}

/** @param {any} trace without x of its own */
const hasSteps = ({ x0 = 0, dx = 1 }) => Number.isFinite(x0) && Number.isFinite(dx) && dx > 0;
