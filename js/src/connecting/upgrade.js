/** The way back from polling to a WebSocket: while the poll goes on, one is tried from time to time. */

import { Alarm } from "../time.js";

/** @typedef {import("./connection.js").Connection} Connection */

/** Between attempts. Each pause is shortened by up to a half at random. */
const PAUSE_FIRST_MS = 5_000;
const PAUSE_GROWTH = 1.7;
const PAUSE_MAX_MS = 50_000;

export class Upgrade {
  #time;
  #random;
  #withinMs;
  #open;
  #onfailed;
  /** The WebSocket that is tried. @type {Connection | null} */
  #probe = null;
  /** @type {number | null} */
  #helloSentAt = null;
  #pauseMs = PAUSE_FIRST_MS;
  #pause;
  #deadline;

  /**
   * @param {object} options
   * @param {import("../time.js").Time} options.time
   * @param {() => number} options.random
   * @param {number} options.withinMs how long a WebSocket may take to be welcomed
   * @param {() => Connection} options.open a WebSocket that has not sent its hello yet
   * @param {() => void} options.onfailed the attempt has failed
   */
  constructor({ time, random, withinMs, open, onfailed }) {
    this.#time = time;
    this.#random = random;
    this.#withinMs = withinMs;
    this.#open = open;
    this.#onfailed = onfailed;
    this.#pause = new Alarm(time);
    this.#deadline = new Alarm(time);
  }

  /** A poll delivers. */
  begin() {
    this.#pauseMs = PAUSE_FIRST_MS;
    this.goOn();
  }

  /** Try again after a pause, longer than the last one. */
  goOn() {
    this.#pause.set(this.#pauseMs * (1 - this.#random() / 2), () => this.#try());
    this.#pauseMs = Math.min(PAUSE_MAX_MS, this.#pauseMs * PAUSE_GROWTH);
  }

  #try() {
    const probe = this.#open();
    this.#probe = probe;
    this.#helloSentAt = this.#time.now();
    this.#deadline.set(this.#withinMs, () => this.fail());
    probe.link.open(probe.hello);
  }

  get isTrying() {
    return this.#probe !== null;
  }

  /** @param {Connection} connection */
  isProbe(connection) {
    return connection === this.#probe;
  }

  /** Whether a hello that was sent may still have an effect on the server. */
  get isRecent() {
    return this.#helloSentAt !== null && this.#time.now() - this.#helloSentAt < 2 * this.#withinMs;
  }

  /** The WebSocket that is tried has ended, or has not been welcomed in time. */
  fail() {
    this.#drop();
    this.#onfailed();
  }

  /** The WebSocket that is tried has been welcomed, and is somebody else's from now on. */
  succeed() {
    this.#probe = null;
    this.stop();
  }

  stop() {
    this.#pause.clear();
    this.#drop();
  }

  #drop() {
    this.#deadline.clear();
    const probe = this.#probe;
    this.#probe = null;
    probe?.link.close();
  }
}
