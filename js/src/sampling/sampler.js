/**
 * Hands Plotly lines at the resolution of the screen, and again whenever that is not what is seen: after zooming, panning, resizing,
 * hiding a trace.
 */

import { seenOf, typeOf } from "./axes.js";
import { translate } from "./events.js";
import { isLong, plan } from "./plan.js";
import { picksOf, traceOf } from "./sample.js";

/**
 * @typedef {import("../plots/plotly.js").Graph} Graph
 * @typedef {import("./sample.js").Sample} Sample
 *
 * @typedef {object} Shown what is known of an element
 * @property {Map<number, Sample>} samples by trace
 * @property {boolean} whole no samples any more: its axes are not what they were taken for
 * @property {number} attempts to draw it finely enough
 * @property {boolean} asked another one is on its way
 * @property {unknown} heard the element's `on` when it was last listened to
 *
 * @typedef {object} SamplerOptions
 * @property {(element: Graph) => void} redraw has it drawn again, soon
 * @property {(id: string) => boolean} isFull whether the plot with that id is to be drawn with all points
 * @property {() => number} [pixelRatio] pixels of the screen in one of the page
 */

/** A plot of which not even this is known. */
const WIDTH = 700;
/** No screen that shows a plot has fewer columns, and no plot that is shorter is looked at. */
const LEAST_COLUMNS = 100;
/** One is enough, as a rule: Plotly is told what it is to show. */
const MOST_ATTEMPTS = 4;
/** A picture of vectors can be looked at so much closer. */
const VECTOR_SCALE = 4;
/** When other points may be seen. */
const EVENTS = ["plotly_afterplot", "plotly_relayout", "plotly_restyle"];

export class Sampler {
  #redraw;
  #isFull;
  #pixelRatio;
  /** @type {WeakMap<Graph, Shown>} */ #shown = new WeakMap();
  /** Elements that have been drawn by samples. @type {Set<Graph>} */ #elements = new Set();

  /** @param {SamplerOptions} options */
  constructor({ redraw, isFull, pixelRatio = () => globalThis.devicePixelRatio || 1 }) {
    this.#redraw = redraw;
    this.#isFull = isFull;
    this.#pixelRatio = pixelRatio;
  }

  /**
   * How many plots are drawn by samples, and how many points stand for one at most; null if all are drawn whole.
   *
   * @returns {{plots: number, points: number} | null}
   */
  get facts() {
    let plots = 0;
    let points = 1;
    for (const element of this.#elements) {
      const samples = element.isConnected ? this.#shown.get(element)?.samples : undefined;
      if (!samples) this.#elements.delete(element);
      if (!samples?.size) continue;
      plots += 1;
      for (const { whole, picks } of samples.values()) points = Math.max(points, Math.round(whole.y.length / picks.length));
    }
    return plots ? { plots, points } : null;
  }

  /** What Plotly gets in the place of these traces. @type {import("../plots/plots.js").Prepare} */
  prepare = (element, traces, layout) => {
    const known = this.#shown.get(element);
    const wanted = !known?.whole && traces.some((trace) => isLong(trace, LEAST_COLUMNS)) && !this.#isFull(element.id);
    if (!wanted && !known) return traces;
    const shown = known ?? { samples: new Map(), whole: false, attempts: 0, asked: false, heard: null };
    shown.asked = false;
    shown.samples = wanted ? planned(element, traces, layout, this.#count(element, layout)) : new Map();
    this.#shown.set(element, shown);
    if (shown.samples.size) this.#elements.add(element);
    else this.#elements.delete(element);
    if (layout && shown.samples.size === traces.length) tellTypes(layout, shown.samples, element._fullLayout);
    // When it has been drawn.
    queueMicrotask(() => this.#attend(element, shown));
    return traces.map((trace, index) => shown.samples.get(index)?.handed ?? trace);
  };

  /** Has a picture of a plot made with as many points as it can show. @type {import("../plots/plots.js").Depict} */
  depict = (element, options, run) => {
    const { data } = element;
    const shown = this.#shown.get(element);
    if (!data || !shown?.samples.size) return run();
    const wholes = data.map((trace, index) => shown.samples.get(index)?.whole ?? trace);
    const count = this.#count(element, element.layout) * scaleOf(options ?? {}, element._fullLayout);
    const finer = planned(element, wholes, element.layout, count);
    element.data = data.map((trace, index) => {
      const sample = shown.samples.get(index);
      return sample ? withChoices(trace, finer.get(index)?.handed ?? sample.whole) : trace;
    });
    try {
      return run();
    } finally {
      element.data = data;
    }
  };

  /** At least as many columns of pixels as the plot has. @param {Graph} element @param {any} layout */
  #count(element, layout) {
    // What Plotly knows, before the browser has to find out.
    const width = layout?.width ?? element._fullLayout?.width ?? (element.clientWidth || WIDTH);
    return Math.max(LEAST_COLUMNS, Math.ceil(width * this.#pixelRatio()));
  }

  /** @param {Graph} element @param {Shown} shown */
  #attend(element, shown) {
    if (!element.on) return;
    if (shown.heard !== element.on) {
      shown.heard = element.on;
      for (const name of EVENTS) element.on(name, () => this.#check(element, shown));
    }
    translate(element, (index) => shown.samples.get(index));
    this.#check(element, shown);
  }

  /** Draw again what a person sees at a coarser resolution than the screen's. @param {Graph} element @param {Shown} shown */
  #check(element, shown) {
    const layout = element._fullLayout;
    if (!layout || !shown.samples.size) return;
    const samples = [...shown.samples.values()];
    if (samples.some((sample) => !isAsAssumed(sample, layout))) this.#again(element, shown, MOST_ATTEMPTS);
    else if (samples.some((sample) => !isFineEnough(sample, layout, this.#pixelRatio()))) this.#again(element, shown, 1);
    else shown.attempts = 0;
  }

  /** @param {Graph} element @param {Shown} shown @param {number} attempts as many are over */
  #again(element, shown, attempts) {
    if (shown.asked) return;
    shown.asked = true;
    shown.attempts += attempts;
    shown.whole = shown.attempts >= MOST_ATTEMPTS;
    this.#redraw(element);
  }
}

/**
 * Tells Plotly of which type axes are that it has drawn before. It would find out from up to a thousand points of each, and write it into the
 * layout as well.
 *
 * @param {any} layout
 * @param {Map<number, Sample>} samples of all traces
 * @param {any} drawn the layout that is drawn, if one is
 */
function tellTypes(layout, samples, drawn) {
  // One of those may have an opinion.
  if (layout.template) return;
  for (const { x, y } of samples.values()) {
    for (const { name, type } of [x, y]) {
      if (drawn?.[name]?.type !== type) continue;
      layout[name] ??= {};
      if (typeOf(layout[name]) === undefined) layout[name].type = type;
    }
  }
}

/** @param {Sample} sample @param {any} layout with the axes as Plotly has drawn them, if it has */
function isAsAssumed({ x, y }, layout) {
  return [x, y].every(({ name, type }) => isAlike(layout[name]?.type ?? type, type));
}

/** @param {Sample} sample @param {any} layout @param {number} ratio pixels of the screen in one of the page */
function isFineEnough({ columns, x }, layout, ratio) {
  const axis = layout[x.name];
  const seen = axis?._length ? seenOf(axis) : null;
  return !seen || columns.suffice(seen, axis._length * ratio);
}

/** @param {Graph} element @param {any[]} traces @param {any} layout @param {number} count @returns {Map<number, Sample>} by trace */
function planned(element, traces, layout, count) {
  /** @type {Map<number, Sample>} */
  const samples = new Map();
  for (const { index, trace, columns, x, y } of plan(traces, { layout, drawn: element.layout, count })) {
    const picks = picksOf(trace, columns, y.type === "log");
    // Many gaps may leave little to save.
    if (!picks || picks.length * 2 > trace.y.length) continue;
    samples.set(index, { whole: trace, handed: traceOf(trace, picks), picks, columns, x, y });
  }
  return samples;
}

/** Pixels of a picture in one of the plot. @param {{format?: string, scale?: number, width?: number | null}} options @param {any} layout */
function scaleOf({ format, scale = 1, width }, layout) {
  const zoom = format === "svg" ? VECTOR_SCALE : scale;
  return Math.max(1, zoom * (width && layout?.width ? width / layout.width : 1));
}

/** Dates are numbers. @param {string} drawn @param {string} assumed */
const isAlike = (drawn, assumed) => drawn === assumed || (drawn === "date" && assumed === "linear");

/** What a person has chosen of a trace that is drawn. @param {any} drawn @param {any} trace */
const withChoices = (drawn, trace) => ({ ...trace, visible: drawn.visible });
