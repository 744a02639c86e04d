/**
 * The batch in which Visdom's bundle collects windows.
 *
 * The first window of a batch makes the bundle set a timer of 100 ms; when it fires, all collected windows are rendered at once. That
 * is a good thing to do with a stream of messages. Ours are collected already, once per frame, so the timer would only make every pane
 * 100 ms older, and hide when the bundle is done. Whatever timer of that length the bundle sets while a window is delivered is
 * therefore kept here, and fired as soon as everything has been delivered.
 */

import { withoutJsonRoundTrip } from "./parsed.js";

const BATCH_MS = 100;

/** @typedef {{setTimeout: any}} Timers */

export class BundleBatch {
  #timers;
  /** @type {(() => void)[]} */ #due = [];
  #collected = false;

  /** @param {Timers} timers the object on which the bundle finds setTimeout */
  constructor(timers) {
    this.#timers = timers;
  }

  /** Have a window delivered into the batch. @param {() => void} deliver */
  collect(deliver) {
    this.#collected = true;
    const timers = this.#timers;
    const native = timers.setTimeout;
    timers.setTimeout = (/** @type {any} */ callback, /** @type {number} */ ms, /** @type {any[]} */ ...rest) => {
      if (ms !== BATCH_MS) return native.call(timers, callback, ms, ...rest);
      this.#due.push(callback);
      // The bundle remembers the timer only to know that there is one.
      return -1;
    };
    try {
      deliver();
    } finally {
      timers.setTimeout = native;
    }
  }

  /**
   * Have the bundle render what it has collected.
   *
   * @returns {boolean} whether there was anything. React draws it in tasks of its own that precede the next frame
   */
  process() {
    const due = this.#due;
    const collected = this.#collected;
    this.#due = [];
    this.#collected = false;
    for (const callback of due) {
      try {
        withoutJsonRoundTrip(callback);
      } catch (error) {
        // As in a timer: what the bundle cannot draw is reported, and stops nothing else.
        reportError(error);
      }
    }
    return collected;
  }
}
