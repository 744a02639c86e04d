/**
 * When a page tells the server what it has drawn.
 *
 * Reading an acknowledgement costs the server more than sending a batch does. A page that is busy, because a batch waits undrawn, tells
 * at once: the server may be waiting for it. A page that is idle tells of several batches together, and how long ago it drew the last.
 * It lets the server send as many batches more as come meanwhile, and tells at once when they are used up: its delay holds nothing up.
 */

import { Alarm } from "../time.js";

export const WAIT_MS = 200;

/** More than this is acknowledged at once: the server bounds what is in flight in bytes as well, and large batches are few. */
const MOST_CHARS = 65_536;

export class Acknowledging {
  /** How many batches the server may send beyond the credit, while this waits. */
  extra = 0;
  #time;
  #alarm;
  #send;
  #acknowledged = 0;
  #drawn = 0;
  #drawnAt = 0;
  /** Of what is drawn and not acknowledged. */
  #chars = 0;
  /** When the newest batches came. @type {number[]} */
  #arrivals = [];

  /**
   * @param {object} options
   * @param {import("../time.js").Time} options.time
   * @param {(batches: number, agoMs: number) => void} options.send so many batches are drawn in all, the last of them so long ago
   */
  constructor({ time, send }) {
    this.#time = time;
    this.#alarm = new Alarm(time);
    this.#send = send;
  }

  /** A batch has come. */
  received() {
    this.#arrivals = [...this.#recent, this.#time.now()];
  }

  /** Batches up to this number are drawn. @param {number} batches @param {number} chars of those that were not before */
  drew(batches, chars) {
    if (batches <= this.#drawn) return;
    this.#drawn = batches;
    this.#drawnAt = this.#time.now();
    this.#chars += chars;
  }

  /**
   * Tell of what is drawn, now or soon.
   *
   * @param {number} room how many batches the server may send beyond the credit. With 0, as for a busy page, nothing waits
   */
  settle(room) {
    const waiting = this.#drawn - this.#acknowledged;
    if (room === 0 || waiting > Math.min(room, this.extra) || this.#chars > MOST_CHARS) this.#tell(room);
    else if (waiting > 0 && !this.#alarm.isSet) this.#alarm.set(WAIT_MS, () => this.#tell(room));
  }

  get #recent() {
    const since = this.#time.now() - WAIT_MS;
    return this.#arrivals.filter((at) => at > since);
  }

  /** @param {number} room */
  #tell(room) {
    this.#alarm.clear();
    const wanted = Math.min(room, Math.max(1, this.#recent.length));
    // Each change of it costs the server a message as well.
    if (wanted > this.extra || wanted < this.extra / 2) this.extra = wanted;
    if (this.#drawn === this.#acknowledged) return;
    this.#acknowledged = this.#drawn;
    this.#chars = 0;
    this.#send(this.#drawn, Math.max(0, this.#time.now() - this.#drawnAt));
  }
}
