/**
 * Listeners of a plot before it is drawn. Plotly makes an element's `on` and `removeListener` when it draws it first, and 0.3.0's bundle
 * calls them as soon as it has asked for that.
 */

/** @typedef {{on?: any, removeListener?: any}} Emitter an element */

export class EarlyListeners {
  /** @type {[string, (data: any) => void][]} */ #listeners = [];
  #on;

  /** @param {Emitter} element */
  constructor(element) {
    this.#on = (/** @type {string} */ event, /** @type {(data: any) => void} */ listener) => {
      this.#listeners.push([event, listener]);
      return element;
    };
    element.on = this.#on;
    element.removeListener = (/** @type {string} */ event, /** @type {(data: any) => void} */ listener) => {
      this.#listeners = this.#listeners.filter(([name, run]) => name !== event || run !== listener);
      return element;
    };
  }

  /** The element is drawn: its own `on` takes over. @param {Emitter} element */
  handOver(element) {
    if (element.on === this.#on) return;
    for (const [event, listener] of this.#listeners) element.on?.(event, listener);
    this.#listeners = [];
  }
}
