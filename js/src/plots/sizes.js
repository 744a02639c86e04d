/** How large elements are, without asking the page for its layout: the browser tells. */

/** @typedef {(callback: (entries: ResizeObserverEntry[]) => void) => Pick<ResizeObserver, "observe" | "unobserve" | "disconnect">} ObserveSize */

/** @type {ObserveSize | null} */
const observeInBrowser = globalThis.ResizeObserver ? (callback) => new ResizeObserver(callback) : null;

export class Sizes {
  /** @type {WeakMap<Element, {width: number, height: number}>} */ #sizes = new WeakMap();
  #observer;

  /** @param {ObserveSize | null} [observe]  without it no size is known */
  constructor(observe = observeInBrowser) {
    this.#observer = observe?.((entries) => {
      for (const { target, contentRect } of entries) this.#sizes.set(target, contentRect);
    });
  }

  /** @param {Element} element */
  watch(element) {
    this.#observer?.observe(element);
  }

  /** @param {Element} element */
  forget(element) {
    this.#observer?.unobserve(element);
    this.#sizes.delete(element);
  }

  /** Whether an element is as large as this; false when that is not known. @param {Element} element @param {{width: number, height: number}} size */
  isOf(element, { width, height }) {
    const size = this.#sizes.get(element);
    return size !== undefined && Math.abs(size.width - width) < 1 && Math.abs(size.height - height) < 1;
  }

  close() {
    this.#observer?.disconnect();
  }
}
