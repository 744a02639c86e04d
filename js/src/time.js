/**
 * @typedef {object} Time
 * @property {() => number} now wall clock, milliseconds: it goes on while a laptop sleeps
 * @property {(callback: () => void, delayMs: number) => any} setTimeout
 * @property {(handle: any) => void} clearTimeout
 */

/** @type {Time} */
export const browserTime = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
  clearTimeout: (handle) => globalThis.clearTimeout(handle),
};

/** One alarm that can be set again: setting it forgets the earlier one. */
export class Alarm {
  #time;
  /** @type {any} */
  #handle = null;

  /** @param {Time} time */
  constructor(time) {
    this.#time = time;
  }

  /** @param {number} delayMs @param {() => void} callback */
  set(delayMs, callback) {
    this.clear();
    const handle = this.#time.setTimeout(
      () => {
        this.#handle = null;
        callback();
      },
      Math.max(0, delayMs),
    );
    this.#handle = handle;
  }

  get isSet() {
    return this.#handle !== null;
  }

  clear() {
    if (this.#handle !== null) {
      this.#time.clearTimeout(this.#handle);
      this.#handle = null;
    }
  }
}
