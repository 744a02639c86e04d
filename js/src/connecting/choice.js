/**
 * Which kind of link to try next.
 *
 * A WebSocket is judged by delivery, not by opening. When several in a row did not deliver, one long poll is tried; if that fails as
 * well, the server is away and the WebSocket is not to blame. Only a WebSocket that fails while a poll link is live proves a blocked
 * path: that is remembered, for all tabs, until it expires.
 *
 * @typedef {"websocket" | "poll"} LinkKind
 */
export class Choice {
  #options;
  #failures = 0;

  /**
   * @param {object} options
   * @param {import("../storage.js").Memo} options.memo
   * @param {() => number} options.now
   * @param {boolean} options.alwaysPoll
   * @param {number} [options.expiryMs] how long a blocked path is remembered
   * @param {number} [options.maxFailures] WebSockets that do not deliver before a long poll is tried
   */
  constructor({ memo, now, alwaysPoll, expiryMs = 600_000, maxFailures = 2 }) {
    this.#options = { memo, now, alwaysPoll, expiryMs, maxFailures };
  }

  /** Whether a poll link should look for a better one. */
  get upgrades() {
    return !this.#options.alwaysPoll;
  }

  /** @returns {LinkKind} */
  next() {
    const { alwaysPoll, maxFailures } = this.#options;
    return alwaysPoll || this.#failures >= maxFailures || this.#isBlocked() ? "poll" : "websocket";
  }

  #isBlocked() {
    const until = this.#options.memo.read()?.pollUntil;
    return typeof until === "number" && this.#options.now() < until;
  }

  /** A WebSocket delivered. */
  delivered() {
    this.#failures = 0;
    this.#options.memo.forget();
  }

  /**
   * A WebSocket did not deliver.
   *
   * @param {object} how
   * @param {boolean} how.opened
   * @param {boolean} how.welcomed
   * @param {boolean} how.silent it did not end, it just said nothing
   */
  failed({ opened, welcomed, silent }) {
    if (opened && !welcomed && silent) {
      // Something answered the handshake, which a server that is away does not do: no need to try twice.
      this.#failures = this.#options.maxFailures;
    } else {
      // One that delivered its welcome and was cut soon after proves less.
      this.#failures += welcomed && !silent ? 0.25 : 1;
    }
  }

  /** A WebSocket failed while a poll link was live. */
  blocked() {
    const { memo, now, expiryMs, maxFailures } = this.#options;
    // Both, because a browser may refuse to store anything.
    this.#failures = maxFailures;
    memo.write({ pollUntil: now() + expiryMs });
  }

  /**
   * A poll failed too, so nothing is known about the WebSocket any more, unless something before the server answered: then a poll
   * tells when that is over, and a WebSocket does not. They take turns, because what answers polls may let WebSockets through.
   *
   * @param {{answered: boolean}} how
   */
  pollFailed({ answered }) {
    const { memo, maxFailures } = this.#options;
    if (answered) {
      this.#failures = Math.min(this.#failures, maxFailures - 1);
    } else {
      this.#failures = 0;
      memo.forget();
    }
  }
}
