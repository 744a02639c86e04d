/** What Plotly says of the points of a sample, said of those of the whole line. */

/** @typedef {import("./sample.js").Sample} Sample */

/** Whoever sends a plot away sends it whole. */
const BEFORE_EXPORT = "plotly_beforeexport";
const AFTER_EXPORT = "plotly_afterexport";

/**
 * @param {any} event what a listener of Plotly is given
 * @param {(index: number) => Sample | undefined} sampleOf by trace
 * @returns {any} another one if it names points of samples: Plotly goes on using its own
 */
export function ofWhole(event, sampleOf) {
  if (!Array.isArray(event?.points)) return event;
  const points = event.points.map((/** @type {any} */ point) => {
    const sample = sampleOf(point?.curveNumber);
    if (!sample) return point;
    const changed = { ...point, data: sample.whole };
    for (const name of ["pointNumber", "pointIndex"]) if (name in point) changed[name] = sample.picks[point[name]];
    return changed;
  });
  return { ...event, points };
}

/**
 * Puts itself before the listeners of a plot, once for each time that Plotly makes its `emit`.
 *
 * @param {any} element
 * @param {(index: number) => Sample | undefined} sampleOf by trace of the plot
 */
export function translate(element, sampleOf) {
  const { emit } = element;
  if (typeof emit !== "function" || TRANSLATORS.has(emit)) return;
  /** @type {any[] | null} */
  let data = null;
  const translator = (/** @type {string} */ name, /** @type {any} */ event, /** @type {any[]} */ ...rest) => {
    if (name === BEFORE_EXPORT) {
      data = element.data;
      element.data = data?.map((trace, index) => sampleOf(index)?.whole ?? trace);
    }
    const result = emit.call(element, name, ofWhole(event, sampleOf), ...rest);
    if (name === AFTER_EXPORT && data) [element.data, data] = [data, null];
    return result;
  };
  TRANSLATORS.add(translator);
  element.emit = translator;
}

const TRANSLATORS = new WeakSet();
