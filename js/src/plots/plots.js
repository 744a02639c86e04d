/**
 * What stands between Visdom's bundle and Plotly: a plot is drawn when somebody sees it, or nearly, with the newest data.
 *
 * The bundle asks for plots as ever. What is in view is drawn at once, as far as a slice of time goes; what is near the view follows,
 * nearest first; the others keep their place, and the newest request, until they come near or are needed: to be downloaded or printed.
 */

import { EarlyListeners } from "./listeners.js";
import { Nearness } from "./nearness.js";
import { Plotter, replaceMethod } from "./plotly.js";
import { Sizes } from "./sizes.js";
import { browserClock, Slices } from "./slices.js";

/**
 * @typedef {import("./plotly.js").Graph} Graph
 * @typedef {import("./plotly.js").Request} Request
 *
 * @typedef {(element: Graph, traces: any[], layout: any) => any[]} Prepare
 *   Called right before an element is drawn: returns the traces that Plotly gets, as many and in the same order. A trace that is not
 *   changed is returned itself; one that is changed is returned as another object, because the bundle goes on using its own. The arrays
 *   of a trace are those of the replica: never to be written to, and changed in place between two drawings.
 *
 * @typedef {(element: Graph, options: any, run: () => any) => any} Depict
 *   Called when a picture of an element is asked for, with Plotly's options: returns what `run` returns, which takes the traces from
 *   the element before it returns.
 *
 * @typedef {object} Plot what is known of an element
 * @property {Request | null} wanted not drawn yet
 * @property {Request} newest drawn or not
 * @property {Deferred} done of what is wanted
 * @property {EarlyListeners | null} early
 * @property {unknown} heard by whom a person's choices are noted already
 *
 * @typedef {{promise: Promise<unknown>, resolve: (value: unknown) => void, reject: (error: unknown) => void}} Deferred
 */

/** Elements of the bundle's plots. */
const GRAPH = "plotly-graph-div";
/** What takes a plot that is drawn. */
const NEEDS_DRAWN = [
  "addTraces",
  "animate",
  "deleteTraces",
  "downloadImage",
  "extendTraces",
  "prependTraces",
  "redraw",
  "relayout",
  "restyle",
  "toImage",
  "update",
];

const MAKES_PICTURE = new Set(["downloadImage", "toImage"]);

const nothing = () => {};

export class Plots {
  /**
   * Set it to hand Plotly less than the bundle has, for instance a sample. `redraw` has it called again.
   *
   * @type {Prepare}
   */
  prepare = (_element, traces) => traces;
  /**
   * Set it to have pictures made of more than is drawn.
   *
   * @type {Depict}
   */
  depict = (_element, _options, run) => run();

  #document;
  #onnear;
  #clock;
  #plotter;
  #nearness;
  #sizes;
  #slices;
  /** @type {WeakMap<Element, Plot>} */ #plots = new WeakMap();
  /** Elements in the page that have been asked for. @type {Set<Graph>} */ #elements = new Set();
  /** Those that are not drawn as wanted. @type {Set<Graph>} */ #waiting = new Set();
  /** Whoever waits for what is in view. @type {(() => void)[]} */ #viewers = [];
  /** @type {(() => void)[]} */ #endings = [];

  /**
   * @param {object} options
   * @param {any} options.plotly undefined where it could not be loaded: nothing is done then
   * @param {Pick<Document, "getElementById">} [options.document]
   * @param {() => void} [options.onnear] other panes may be near the view
   * @param {import("./nearness.js").Observe | null} [options.observe]
   * @param {import("./sizes.js").ObserveSize | null} [options.observeSize]
   * @param {import("./slices.js").Clock} [options.clock]
   */
  constructor({ plotly, document = globalThis.document, onnear = nothing, observe, observeSize, clock = browserClock }) {
    this.#document = document;
    this.#onnear = onnear;
    this.#clock = clock;
    this.#slices = new Slices({ next: () => this.#next(), clock });
    this.#nearness = new Nearness({ onchange: () => this.#moved(), observe });
    this.#sizes = new Sizes(observeSize);
    this.#plotter = plotly ? new Plotter(plotly) : null;
    if (plotly) this.#replace(plotly);
  }

  // --- for the dashboard ---

  /** How many plots the page has, and how many of them are drawn as they should be. */
  get counts() {
    this.#prune();
    return { plots: this.#elements.size, drawn: this.#elements.size - this.#waiting.size };
  }

  /** Whether an element is near the view, as far as is known. @param {string} id of it */
  isNear(id) {
    const element = this.#document.getElementById(id);
    return !element || (this.#nearness.place(element)?.near ?? true);
  }

  /** What an element is to show that it does not yet; null if it shows what the bundle wants. @param {Element} element @returns {any[] | null} traces */
  waiting(element) {
    return this.#plots.get(element)?.wanted?.data ?? null;
  }

  /** Calls back once everything in view is drawn. @param {() => void} callback */
  afterView = (callback) => {
    if (this.#isViewDrawn()) callback();
    else this.#viewers.push(callback);
  };

  /** Draw an element again, soon, with what the bundle wanted last: `prepare` has another opinion of it. @param {Graph} element */
  redraw(element) {
    const plot = this.#plots.get(element);
    if (!plot || plot.wanted) return;
    plot.wanted = { ...plot.newest, layout: element.layout ?? plot.newest.layout, isUpdate: true };
    this.#wait(element);
  }

  /** Draw all that waits, now. */
  drawAll() {
    this.#prune();
    for (const element of [...this.#waiting]) this.#draw(element);
  }

  /** Everything is Plotly's again. Plots that stay in the page are drawn. */
  close() {
    for (const end of this.#endings) end();
    this.#nearness.close();
    this.#sizes.close();
    this.#clock.soon(() => this.drawAll());
  }

  // --- what the bundle calls ---

  /** @param {any} plotly */
  #replace(plotly) {
    /** @param {any} target @param {(element: Graph) => unknown} run @param {() => unknown} native */
    const withGraph = (target, run, native) => {
      const element = this.#graph(target);
      return element ? run(element) : native();
    };
    for (const name of ["newPlot", "react"]) {
      this.#endings.push(
        replaceMethod(plotly, name, (native, target, data, layout, config) => {
          const want = (/** @type {Graph} */ element) =>
            this.#want(element, { data, layout, config, isUpdate: name === "react" });
          return Array.isArray(data) ? withGraph(target, want, native) : native();
        }),
      );
    }
    for (const name of NEEDS_DRAWN) {
      this.#endings.push(
        replaceMethod(plotly, name, (native, target, options) => {
          withGraph(target, (element) => this.#waiting.has(element) && this.#draw(element), nothing);
          const depict = (/** @type {Graph} */ element) => this.depict(element, options, native);
          return MAKES_PICTURE.has(name) ? withGraph(target, depict, native) : native();
        }),
      );
    }
    this.#endings.push(
      replaceMethod(plotly.Plots, "resize", (native, target) =>
        withGraph(target, (element) => this.#resize(element, native), native),
      ),
    );
  }

  /** @param {unknown} target @returns {Graph | null} */
  #graph(target) {
    const element = /** @type {any} */ (typeof target === "string" ? this.#document.getElementById(target) : target);
    return element?.classList?.contains(GRAPH) ? element : null;
  }

  /** @param {Graph} element @param {Request} request @returns {Promise<unknown>} */
  #want(element, request) {
    const plot = this.#plots.get(element) ?? this.#meet(element, request);
    plot.newest = plot.wanted = request;
    this.#waiting.add(element);
    if (this.#nearness.place(element)?.inView && this.#slices.hasTime) {
      return this.#slices.atOnce(() => this.#draw(element));
    }
    this.#wait(element);
    return plot.done.promise;
  }

  /** The bundle thinks that an element may have another size. @param {Graph} element @param {() => unknown} native */
  #resize(element, native) {
    // What is drawn later, is drawn with the size that it has then.
    if (this.#waiting.has(element) || this.#plotter?.fits(element, this.#sizes)) return Promise.resolve(element);
    if (this.#nearness.place(element)?.near ?? true) return native();
    this.redraw(element);
    return Promise.resolve(element);
  }

  /** @param {Graph} element @param {Request} request @returns {Plot} */
  #meet(element, request) {
    const early = this.#plotter?.isDrawn(element) ? null : new EarlyListeners(element);
    const plot = { wanted: null, newest: request, done: resolvers(), early, heard: null };
    this.#plots.set(element, plot);
    this.#elements.add(element);
    this.#nearness.watch(element);
    this.#sizes.watch(element);
    return plot;
  }

  // --- drawing ---

  /** @param {Graph} element */
  #wait(element) {
    this.#waiting.add(element);
    this.#slices.schedule();
  }

  /** Other elements are near. */
  #moved() {
    this.#prune();
    this.#slices.schedule();
    this.#onnear();
  }

  /** What is to be drawn next. @returns {(() => void) | null} */
  #next() {
    /** @type {Graph | null} */
    let nearest = null;
    let least = Number.POSITIVE_INFINITY;
    for (const element of this.#waiting) {
      const place = this.#nearness.place(element);
      if (!place?.near || !element.isConnected) continue;
      const distance = place.inView ? place.distance - 1e9 : place.distance;
      if (distance < least) [nearest, least] = [element, distance];
    }
    if (!(least < 0)) this.#tellViewers();
    if (!nearest) return null;
    const element = nearest;
    return () => void this.#draw(element);
  }

  /** @param {Graph} element @returns {Promise<unknown>} */
  #draw(element) {
    const plot = /** @type {Plot} */ (this.#plots.get(element));
    const request = /** @type {Request} */ (plot.wanted);
    const { done } = plot;
    plot.wanted = null;
    plot.done = resolvers();
    this.#waiting.delete(element);
    try {
      const traces = this.prepare(element, request.data, request.layout);
      done.resolve(/** @type {Plotter} */ (this.#plotter).draw(element, request, traces));
      plot.early?.handOver(element);
      plot.early = null;
      this.#hear(element, plot);
    } catch (error) {
      done.reject(error);
    }
    return done.promise;
  }

  /** A person hides and shows traces in what is drawn; the bundle looks for that in its own. @param {Graph} element @param {Plot} plot */
  #hear(element, plot) {
    if (plot.heard === element.on || !element.on) return;
    plot.heard = element.on;
    element.on("plotly_restyle", () => {
      for (const { data } of new Set([plot.newest, plot.wanted ?? plot.newest])) noteVisible(element.data ?? [], data);
    });
  }

  #isViewDrawn() {
    for (const element of this.#waiting) {
      const place = this.#nearness.place(element);
      if (element.isConnected && (place === undefined || place.inView)) return false;
    }
    return true;
  }

  #tellViewers() {
    if (!this.#viewers.length || !this.#isViewDrawn()) return;
    const viewers = this.#viewers;
    this.#viewers = [];
    for (const callback of viewers) callback();
  }

  /** Forget elements that have left the page. */
  #prune() {
    for (const element of this.#elements) {
      if (element.isConnected) continue;
      this.#elements.delete(element);
      this.#waiting.delete(element);
      this.#plots.delete(element);
      this.#nearness.forget(element);
      this.#sizes.forget(element);
    }
  }
}

/** @returns {Deferred} */
function resolvers() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** @param {any[]} drawn @param {any[]} own */
function noteVisible(drawn, own) {
  for (const [index, trace] of own.entries()) {
    const other = drawn[index];
    if (other && other !== trace && other.name === trace.name) trace.visible = other.visible;
  }
}
