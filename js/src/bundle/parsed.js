/**
 * What Visdom's bundle finds in the `data` of a message: it passes for the message's JSON, and is never written as such.
 *
 * The bundle parses every message, and 0.2.4's makes a copy of each window by way of its text. For a window of megabytes that is most
 * of what it takes to show it. While a message is delivered, and while the bundle renders what was delivered, both are given a copy
 * of the object instead, without the long arrays of numbers: those are the replica's.
 */

import { copyButShareData } from "../copy.js";

/** The browser's own: `withoutJsonRoundTrip` replaces what the bundle finds. */
const writeJson = JSON.stringify;

export class ParsedMessage {
  #message;

  /** @param {any} message */
  constructor(message) {
    this.#message = message;
  }

  /** A copy, but for the data in it: Visdom's panes and Plotly write into what they show. */
  open() {
    return copyButShareData(this.#message);
  }

  /** What it is for whoever does not know of parsed messages, the browser's own JSON.parse included. */
  toString() {
    return writeJson(this.#message);
  }
}

/** @typedef {{parse: any, stringify: any}} Codec the object on which the bundle finds `parse` and `stringify` */

/** @param {unknown} value */
export const isWindow = (value) => /** @type {any} */ (value)?.command === "window";

/**
 * Runs what may parse parsed messages, or copy windows by way of their text.
 *
 * @template T
 * @param {() => T} run
 * @param {Codec} [codec]
 * @returns {T}
 */
export function withoutJsonRoundTrip(run, codec = JSON) {
  const { parse, stringify } = codec;
  codec.parse = (/** @type {any} */ text, /** @type {any[]} */ ...rest) =>
    text instanceof ParsedMessage && rest.length === 0 ? text.open() : parse.call(codec, text, ...rest);
  codec.stringify = (/** @type {any} */ value, /** @type {any[]} */ ...rest) =>
    isWindow(value) && rest.length === 0 ? new ParsedMessage(value) : stringify.call(codec, value, ...rest);
  try {
    return run();
  } finally {
    codec.parse = parse;
    codec.stringify = stringify;
  }
}
