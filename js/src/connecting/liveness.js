/** Whether the server gives signs of life: one heartbeat for the current link, and what outlives it. */

import { Heartbeat } from "./heartbeat.js";

/**
 * @typedef {import("../links/websocket.js").Link} Link
 * @typedef {import("../protocol.js").Welcome} Welcome
 */

export class Liveness {
  #time;
  /** @type {Heartbeat | null} */
  #heartbeat = null;
  /** Of the links before. @type {number | null} */
  #lastHeardAt = null;
  /** Of the links before. @type {number | null} */
  #roundTripMs = null;

  /** @param {import("../time.js").Time} time */
  constructor(time) {
    this.#time = time;
  }

  /** When the server last gave a sign of life, milliseconds since 1970. @returns {number | null} */
  get lastHeardAt() {
    return this.#heartbeat?.lastHeardAt ?? this.#lastHeardAt;
  }

  /** For how long the server has owed a sign of life to who asked for one. */
  get unansweredMs() {
    const askedAt = this.#heartbeat?.askedAt ?? null;
    return askedAt === null ? 0 : Math.max(0, this.#time.now() - askedAt);
  }

  /** Something was sent that has an answer. */
  asked() {
    this.#heartbeat?.asked();
  }

  /** @returns {number | null} */
  get roundTripMs() {
    return this.#heartbeat?.roundTripMs ?? this.#roundTripMs;
  }

  /** What an answer takes on the current link, milliseconds; 0 while that is not known. */
  get tripMs() {
    return this.#heartbeat?.tripMs ?? 0;
  }

  /** Watch a link that was welcomed. @param {Link} link @param {Welcome} welcome @param {() => void} dead called when it is silent */
  watch(link, { heartbeat_s, dead_after_s, poll_wait_s }, dead) {
    this.stop();
    // A held poll is silent for as long as it waits, and no reason to ask.
    const interval_s = link.kind === "poll" ? Math.max(heartbeat_s, (poll_wait_s + dead_after_s) / 2) : heartbeat_s;
    this.#heartbeat = new Heartbeat({
      time: this.#time,
      intervalMs: interval_s * 1000,
      deadAfterMs: dead_after_s * 1000,
      ping: () => link.send({ type: "ping" }),
      dead,
    });
  }

  /** The link is given up. */
  stop() {
    if (this.#heartbeat !== null) {
      this.#heartbeat.stop();
      this.#lastHeardAt = this.#heartbeat.lastHeardAt;
      this.#roundTripMs = this.#heartbeat.roundTripMs ?? this.#roundTripMs;
      this.#heartbeat = null;
    }
  }

  /** Something was received. */
  heard() {
    this.#heartbeat?.heard();
  }

  /** A pong was received. @returns {number | null} the round trip in milliseconds, if it was asked for */
  ponged() {
    return this.#heartbeat?.ponged() ?? null;
  }

  /** Ask for a pong, for the sake of the round trip. */
  measure() {
    this.#heartbeat?.measure();
  }

  /** Find out now whether the link is alive. */
  check() {
    this.#heartbeat?.check();
  }
}
