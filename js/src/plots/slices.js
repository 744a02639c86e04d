/** Work in slices: between two of them the page is painted, and answers a person. */

/** A slice begins nothing more after this. */
const SLICE_MS = 50;

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds
 * @property {(run: () => void) => void} soon in a task of its own
 * @property {(run: () => void) => void} afterFrame in a task of its own, after the page has been painted. Not while it is hidden
 */

/** @type {Clock} */
export const browserClock = {
  now: () => performance.now(),
  soon: (run) => void setTimeout(run, 0),
  afterFrame: (run) => void requestAnimationFrame(() => setTimeout(run, 0)),
};

export class Slices {
  #clock;
  #next;
  #scheduled = false;
  /** Since when work has been done at once, in the task that is running. @type {number | null} */ #since = null;

  /** @param {{next: () => (() => void) | null, clock?: Clock}} options  `next` returns what is to be done next, or null */
  constructor({ next, clock = browserClock }) {
    this.#next = next;
    this.#clock = clock;
  }

  /** There may be something to do. */
  schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => this.#run());
  }

  /** Whether the task that is running has time for something that should be done at once. */
  get hasTime() {
    return this.#since === null || this.#clock.now() - this.#since < SLICE_MS;
  }

  /** Do something at once. @template T @param {() => T} run @returns {T} */
  atOnce(run) {
    if (this.#since === null) {
      this.#since = this.#clock.now();
      queueMicrotask(() => {
        this.#since = null;
      });
    }
    return run();
  }

  #run() {
    const began = this.#clock.now();
    let run = this.#next();
    while (run) {
      run();
      run = this.#next();
      if (run && this.#clock.now() - began >= SLICE_MS) {
        this.#clock.afterFrame(() => this.#run());
        return;
      }
    }
    this.#scheduled = false;
  }
}
