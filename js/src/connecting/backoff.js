/** Delays between attempts to connect: exponential with full jitter, so that tabs cut together do not come back together. */
export class Backoff {
  /** Attempts since the last link that proved good. */
  attempt = 0;
  #options;
  /** @type {number | null} */
  #upSince = null;

  /**
   * @param {object} options
   * @param {() => number} options.random from 0 up to 1
   * @param {number} [options.firstMs] upper bound of the first delay
   * @param {number} [options.maxMs] upper bound of every delay
   * @param {number} [options.minUptimeMs] a link that lived shorter than this does not count as good
   */
  constructor({ random, firstMs = 500, maxMs = 15_000, minUptimeMs = 5_000 }) {
    this.#options = { random, firstMs, maxMs, minUptimeMs };
  }

  /** A link is up. @param {number} now */
  up(now) {
    this.#upSince = now;
  }

  /** The link is gone. @param {number} now */
  down(now) {
    if (this.#upSince !== null && now - this.#upSince >= this.#options.minUptimeMs) {
      this.attempt = 0;
    }
    this.#upSince = null;
  }

  /** Milliseconds until the next attempt. */
  next() {
    const { random, firstMs, maxMs } = this.#options;
    const bound = Math.min(maxMs, firstMs * 2 ** this.attempt);
    this.attempt += 1;
    return random() * bound;
  }

  /** Milliseconds until the next attempt when the server asked to come back late. */
  late() {
    const { random, maxMs } = this.#options;
    this.attempt += 1;
    return maxMs * (1 + random());
  }

  /** A person asked to connect: begin again with short delays. */
  reset() {
    this.attempt = 0;
  }
}
