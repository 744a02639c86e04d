/**
 * How many batches the server may have in flight to this page.
 *
 * A page is a pipe: it draws one batch after the other, and once it has said that one is drawn, a round trip passes until the next one
 * is here. So one batch to draw, and as many as it could draw during a round trip, keep it busy. Fewer would let a fast page far
 * away wait for its data; more would not be drawn sooner, but would have left the server earlier, and be older when they are. Of what
 * is not in flight the server keeps the newest state only.
 *
 * A round trip is measured by pings, and a busy page answers late: the least of the newest measurements is nearest to the truth.
 */

const FIRST = 4;
const LEAST = 2;
const MOST = 16;
/** Drawing is not taken for quicker than this: the server collects changes for as long before it sends them. */
const QUICKEST_MS = 10;
const REMEMBERED_TRIPS = 5;
/** The share of a new measurement in the mean. */
const NEW_SHARE = 0.2;

export class Credit {
  /** @type {number | null} */
  #drawMs = null;
  /** @type {number[]} */
  #trips = [];

  /** What it takes to draw a batch (or several together), on average. Milliseconds; null until one was drawn. */
  get drawMs() {
    return this.#drawMs;
  }

  /** @param {number} ms from when a batch was here and the page had drawn what came before, until it was drawn */
  drew(ms) {
    this.#drawMs = this.#drawMs === null ? ms : this.#drawMs + NEW_SHARE * (ms - this.#drawMs);
  }

  /** @param {number} ms between a ping and its pong */
  travelled(ms) {
    this.#trips = [...this.#trips, ms].slice(-REMEMBERED_TRIPS);
  }

  /** Another link may take another way. */
  forgetTrips() {
    this.#trips = [];
  }

  /** How many to grant. */
  get batches() {
    if (this.#drawMs === null || this.#trips.length === 0) {
      return FIRST;
    }
    const onTheWay = Math.min(...this.#trips) / Math.max(QUICKEST_MS, this.#drawMs);
    return Math.min(MOST, Math.max(LEAST, 1 + Math.ceil(onTheWay)));
  }
}
