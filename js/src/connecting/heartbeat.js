import { Alarm } from "../time.js";

/** @typedef {import("../time.js").Time} Time */

/**
 * Watches one link for silence. Any message counts as a sign of life.
 *
 * An alarm that rings much too late says that the page was asleep or throttled, not that the link is silent: the link then gets a
 * ping and a short deadline instead of a verdict.
 */
export class Heartbeat {
  lastHeardAt;
  /** @type {number | null} */
  roundTripMs = null;
  /** Since when something is unanswered, without any sign of life since. @type {number | null} */
  askedAt = null;
  #options;
  #alarm;
  /** @type {number | null} */
  #pingedAt = null;
  /** Until when a sign of life must come, while the link is being checked. @type {number | null} */
  #deadline = null;
  #rechecked = false;
  #stopped = false;

  /**
   * @param {object} options
   * @param {Time} options.time
   * @param {number} options.intervalMs silence after which the link is pinged
   * @param {number} options.deadAfterMs silence after which it is dead
   * @param {number} [options.checkMs] how long a checked link may take to answer
   * @param {() => void} options.ping
   * @param {() => void} options.dead
   */
  constructor({ time, intervalMs, deadAfterMs, checkMs = 3_000, ping, dead }) {
    // A link that was dead before it is asked would be checked without a pause.
    this.#options = { time, intervalMs, deadAfterMs: Math.max(deadAfterMs, intervalMs), checkMs, ping, dead };
    this.#alarm = new Alarm(time);
    this.lastHeardAt = time.now();
    this.#plan();
  }

  /** Something was received. */
  heard() {
    this.lastHeardAt = this.#options.time.now();
    this.askedAt = null;
    if (this.#deadline !== null) {
      this.#deadline = null;
      this.#plan();
    }
  }

  /** A pong was received. @returns {number | null} the round trip in milliseconds, if it was asked for */
  ponged() {
    if (this.#pingedAt === null) {
      return null;
    }
    this.roundTripMs = Math.max(0, this.#options.time.now() - this.#pingedAt);
    this.#pingedAt = null;
    return this.roundTripMs;
  }

  /** What an answer takes now: as long as the last one did, or the one that is waited for if that is longer. Milliseconds. */
  get tripMs() {
    const waiting = this.#pingedAt === null ? 0 : this.#options.time.now() - this.#pingedAt;
    return Math.max(0, this.roundTripMs ?? 0, waiting);
  }

  /** Ask for a pong, for the sake of the round trip. */
  measure() {
    this.#ping();
  }

  /** Find out now whether the link is alive. */
  check() {
    if (this.#deadline === null) {
      this.#rechecked = false;
      this.#startCheck();
    }
  }

  /** Something was sent that has an answer. */
  asked() {
    this.askedAt ??= this.#options.time.now();
  }

  stop() {
    this.#stopped = true;
    this.#alarm.clear();
  }

  #startCheck() {
    const { time, checkMs } = this.#options;
    this.#deadline = time.now() + checkMs;
    this.#ringAt(this.#deadline);
    this.#ping();
  }

  #ping() {
    this.#pingedAt = this.#options.time.now();
    this.asked();
    this.#options.ping();
  }

  #plan() {
    const { intervalMs, deadAfterMs } = this.#options;
    const pinged = this.#pingedAt !== null && this.#pingedAt >= this.lastHeardAt;
    this.#ringAt(this.lastHeardAt + (pinged ? deadAfterMs : intervalMs));
  }

  /** @param {number} at */
  #ringAt(at) {
    const { time, deadAfterMs } = this.#options;
    // Pinging may have shown that the link is gone and stopped this heartbeat.
    if (!this.#stopped) {
      // A wall clock that was set back must not postpone the alarm for hours.
      this.#alarm.set(Math.min(at - time.now(), deadAfterMs), () => this.#ring(at));
    }
  }

  /** @param {number} due */
  #ring(due) {
    const { time, intervalMs, deadAfterMs, checkMs, dead } = this.#options;
    const now = time.now();
    const overslept = now - due > checkMs;
    if (this.#deadline !== null) {
      // Once: in a hidden page every alarm is late, and a dead link must be found out in the end.
      if (overslept && !this.#rechecked) {
        this.#rechecked = true;
        this.#startCheck();
      } else {
        dead();
      }
      return;
    }
    const silence = now - this.lastHeardAt;
    if (silence < intervalMs) {
      this.#plan();
    } else if (overslept) {
      this.check();
    } else if (silence < deadAfterMs) {
      this.#ping();
      this.#plan();
    } else {
      dead();
    }
  }
}
