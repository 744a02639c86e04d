/** How a plot is drawn with Plotly: made once, updated after that. */

import { withTextsMeasuredOnce } from "./measures.js";
import { withMembers } from "./members.js";

/**
 * @typedef {Element & {id: string, data?: any[], layout?: any, on?: any, _fullLayout?: any}} Graph the element of a plot
 * @typedef {{data: any[], layout: any, config: any, isUpdate: boolean}} Request what Visdom's bundle wants an element to show
 */

/** Traces that Plotly updates as well as it makes them anew. Those with WebGL keep a camera, or contexts. */
const UPDATABLE = new Set([
  undefined,
  "bar",
  "box",
  "candlestick",
  "contour",
  "funnel",
  "heatmap",
  "histogram",
  "histogram2d",
  "ohlc",
  "pie",
  "scatter",
  "sunburst",
  "violin",
  "waterfall",
]);

/** A zoomed axis stays so unless it is told its range. */
const AXES = ["xaxis", "yaxis"];

export class Plotter {
  #plotly;
  #native;
  #revision = 0;

  /** @param {any} plotly  its functions are taken as they are now */
  constructor(plotly) {
    this.#plotly = plotly;
    this.#native = { newPlot: plotly.newPlot, react: plotly.react };
  }

  /** @param {Graph} element */
  isDrawn(element) {
    return element._fullLayout !== undefined;
  }

  /** Whether a plot is drawn in the size that its element has. @param {Graph} element @param {import("./sizes.js").Sizes} sizes */
  fits(element, sizes) {
    return element._fullLayout !== undefined && sizes.isOf(element, element._fullLayout);
  }

  /**
   * @param {Graph} element
   * @param {Request} request
   * @param {any[]} traces what is drawn in the place of the request's
   * @returns {Promise<unknown>}
   */
  draw(element, { data, layout = {}, config, isUpdate }, traces) {
    if (!this.isDrawn(element) || !(isUpdate || data.every(({ type }) => UPDATABLE.has(type)))) {
      return withTextsMeasuredOnce(() => this.#native.newPlot.call(this.#plotly, element, traces, layout, config));
    }
    keepZoom(element.layout, layout);
    // Arrays change in place: without another revision Plotly takes them for what they were. And it measures again only what is called
    // autosized. Neither is in what the bundle exports.
    return withMembers(layout, { datarevision: `drawn ${++this.#revision}`, autosize: layout.autosize ?? true }, () =>
      withTextsMeasuredOnce(() => this.#native.react.call(this.#plotly, element, traces, layout, config)),
    );
  }
}

/**
 * What a person has zoomed between a request and its drawing: the bundle has done the same for all before. @param {any} drawn @param {any} layout
 */
function keepZoom(drawn, layout) {
  for (const axis of AXES) {
    if (drawn?.[axis]?.autorange === false && layout[axis]?.autorange !== false) layout[axis] = drawn[axis];
  }
}

/**
 * Replaces a method, if the owner has it, by `run`, which gets the native one with its arguments bound, and the arguments.
 *
 * @param {any} owner
 * @param {string} name
 * @param {(native: () => any, ...args: any[]) => any} run
 * @returns {() => void} takes it back, unless somebody else has replaced it since
 */
export function replaceMethod(owner, name, run) {
  const native = owner?.[name];
  if (typeof native !== "function") return () => {};
  const replaced = (/** @type {any[]} */ ...args) => run(() => native.apply(owner, args), ...args);
  owner[name] = replaced;
  return () => {
    if (owner[name] === replaced) owner[name] = native;
  };
}
