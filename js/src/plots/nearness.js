/** Which elements a person sees, or nearly, without asking the page for its layout: the browser tells. */

/** As far above and below of the view is near. */
const MARGIN = "50%";

/**
 * @typedef {object} Place
 * @property {boolean} inView
 * @property {boolean} near
 * @property {number} distance of its middle from that of the view when it last came near or left, pixels
 *
 * @typedef {(callback: (entries: IntersectionObserverEntry[]) => void, options: object) => Pick<IntersectionObserver, "observe" | "unobserve" | "disconnect">} Observe
 */

/** @type {Observe | null} */
const observeInBrowser = globalThis.IntersectionObserver
  ? (callback, options) => new IntersectionObserver(callback, options)
  : null;

export class Nearness {
  /** @type {WeakMap<Element, Place>} */ #places = new WeakMap();
  #observers;
  #onchange;

  /** @param {{onchange: () => void, observe?: Observe | null}} options  without `observe` everything is in view */
  constructor({ onchange, observe = observeInBrowser }) {
    this.#onchange = onchange;
    this.#observers = observe && [
      observe((entries) => this.#note(entries, "near"), { rootMargin: `${MARGIN} 0px` }),
      observe((entries) => this.#note(entries, "inView"), {}),
    ];
  }

  /** @param {Element} element */
  watch(element) {
    if (this.#observers === null) this.#places.set(element, { inView: true, near: true, distance: 0 });
    else for (const observer of this.#observers) observer.observe(element);
  }

  /** @param {Element} element */
  forget(element) {
    for (const observer of this.#observers ?? []) observer.unobserve(element);
    this.#places.delete(element);
  }

  /** @param {Element} element @returns {Place | undefined} undefined before the browser has told: with the frame that follows `watch` */
  place(element) {
    return this.#places.get(element);
  }

  close() {
    for (const observer of this.#observers ?? []) observer.disconnect();
  }

  /** @param {IntersectionObserverEntry[]} entries @param {"near" | "inView"} what */
  #note(entries, what) {
    for (const { target, isIntersecting, boundingClientRect, rootBounds } of entries) {
      const place = this.#places.get(target) ?? { inView: false, near: false, distance: 0 };
      place[what] = isIntersecting;
      // What is in view is near, whichever observer is told first.
      if (what === "inView" && isIntersecting) place.near = true;
      const middle = rootBounds ? (rootBounds.top + rootBounds.bottom) / 2 : 0;
      place.distance = Math.abs((boundingClientRect.top + boundingClientRect.bottom) / 2 - middle);
      this.#places.set(target, place);
    }
    this.#onchange();
  }
}
