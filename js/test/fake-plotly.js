// A page with plots in it, of which only the behaviour that matters to ours is there: Plotly, observers, and time by hand.

import { Plots } from "../src/plots/plots.js";
import { settled } from "./fakes.js";

/** Draws by noting what it was asked to. */
export class FakePlotly {
  /** Newest last: how, which element, with which y of the first trace. */
  calls = [];
  /** What a drawing takes, milliseconds. */
  costMs = 0;
  clock = null;

  constructor() {
    this.Plots = { resize: (element) => this.#note("resize", element) };
    for (const name of ["newPlot", "react"]) {
      this[name] = (element, data, layout, config) => this.#draw(name, element, data, layout, config);
    }
    for (const name of ["downloadImage", "relayout"]) this[name] = (element) => this.#note(name, element);
  }

  #note(name, element) {
    this.calls.push([name, element.id]);
    return Promise.resolve(element);
  }

  #draw(name, element, data, layout, config) {
    if (data.some(({ type }) => type === "broken")) throw new Error("it cannot be drawn");
    this.clock.ms += this.costMs;
    this.calls.push([name, element.id, data[0]?.y?.at(-1)]);
    if (element._fullLayout === undefined || name === "newPlot") {
      const listeners = [];
      Object.assign(element, {
        listeners,
        on: (event, listener) => listeners.push([event, listener]),
        removeListener: (event, listener) =>
          listeners.splice(0, Number.POSITIVE_INFINITY, ...listeners.filter(([name, run]) => name !== event || run !== listener)),
      });
    }
    Object.assign(element, {
      data,
      layout,
      _fullLayout: { ...layout, width: 400, height: 300, config },
    });
    return Promise.resolve(element);
  }

  /** A person changes something of a plot. */
  emit(element, event, data) {
    for (const [name, listener] of element.listeners) if (name === event) listener(data);
  }
}

/** Callbacks of observers, called by hand. */
class FakeObservers {
  all = [];
  make = (callback, options = {}) => {
    const observer = { callback, options, targets: new Set(), told: new Set() };
    this.all.push(observer);
    return {
      observe: (element) => observer.targets.add(element),
      unobserve: (element) => observer.targets.delete(element),
      disconnect: () => observer.targets.clear(),
    };
  };
}

export class PlotsPage {
  plotly = new FakePlotly();
  elements = new Map();
  nears = 0;
  /** Where the page is scrolled to; it is 800 pixels high. */
  top = 0;
  clock = {
    ms: 0,
    now: () => this.clock.ms,
    soon: (run) => this.tasks.push(run),
    afterFrame: (run) => this.frames.push(run),
  };
  tasks = [];
  frames = [];
  #observers = new FakeObservers();
  #sizes = new FakeObservers();

  constructor(options = {}) {
    this.plotly.clock = this.clock;
    this.plots = new Plots({
      plotly: this.plotly,
      document: { getElementById: (id) => this.elements.get(id) ?? null },
      onnear: () => (this.nears += 1),
      observe: this.#observers.make,
      observeSize: this.#sizes.make,
      clock: this.clock,
      ...options,
    });
  }

  /** A pane's element, so far down the page. */
  pane(id, at) {
    const element = { id, at, isConnected: true, classList: { contains: (name) => name === "plotly-graph-div" } };
    this.elements.set(id, element);
    return element;
  }

  /** The bundle asks for a plot as 0.2.4 does. */
  plot(id, y = 1, more = {}) {
    return this.plotly.newPlot(id, [{ type: "scatter", name: "a", y: [y], ...more }], {}, { showLink: true });
  }

  /** The bundle asks for a plot as 0.3.0 does. */
  react(id, y = 1, layout = {}) {
    return this.plotly.react(id, [{ type: "scatter", name: "a", y: [y] }], layout, {});
  }

  /** React takes an element off the page. */
  remove(id) {
    this.elements.get(id).isConnected = false;
    this.elements.delete(id);
  }

  /** The browser tells the observers what is where, as with a frame. */
  look() {
    for (const { callback, options, targets, told } of this.#observers.all) {
      const margin = options.rootMargin ? (Number.parseFloat(options.rootMargin) / 100) * 800 : 0;
      const rootBounds = { top: -margin, bottom: 800 + margin };
      const entries = [];
      for (const target of targets) {
        const boundingClientRect = { top: target.at - this.top, bottom: target.at - this.top + 300 };
        const isIntersecting =
          target.isConnected &&
          !target.hidden &&
          boundingClientRect.bottom >= rootBounds.top &&
          boundingClientRect.top <= rootBounds.bottom;
        const key = isIntersecting ? target : null;
        if (told.has(target) && target.known?.get(callback) === key) continue;
        told.add(target);
        (target.known ??= new Map()).set(callback, key);
        entries.push({ target, isIntersecting, boundingClientRect, rootBounds });
      }
      if (entries.length) callback(entries);
    }
  }

  /** The browser tells how large an element is. */
  measure(id, width, height) {
    for (const { callback } of this.#sizes.all) callback([{ target: this.elements.get(id), contentRect: { width, height } }]);
  }

  scroll(top) {
    this.top = top;
    this.look();
  }

  /** One task. */
  async task() {
    this.tasks.shift()?.();
    await settled();
  }

  /** One frame, and the task after it. */
  async frame() {
    this.frames.shift()?.();
    await settled();
  }

  /** Until there is nothing left to do. */
  async rest() {
    await settled();
    while (this.tasks.length || this.frames.length) {
      await this.task();
      await this.frame();
    }
  }

  /** What was drawn since it was last asked. */
  get drawn() {
    return this.plotly.calls.splice(0);
  }
}
