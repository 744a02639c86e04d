/** How far the page is behind the server, measured by what it draws and by what the server holds for it. */

import { Credit } from "./credit.js";

/**
 * @typedef {import("../connecting/connection.js").Connection} Connection
 *
 * @typedef {object} Behind
 * @property {number} behindMs how long the oldest change that the page has not drawn has been waiting for it
 * @property {number} behindChanges how many changes the page has not drawn, as far as it knows
 * @property {number | null} changedAt when the newest change came, milliseconds since 1970
 * @property {number} conflated changes that were replaced by newer ones before they were sent, since the page was loaded
 */

/** A link that delivers is pinged this often to measure the round trip. */
const MEASURE_EVERY_MS = 5_000;

export class Lag {
  #time;
  #credit = new Credit();
  #measuredAt = 0;
  #drawnAt = 0;
  /** Changes that the server held when it was last asked. */
  #heldByServer = 0;
  #conflated = 0;
  /** @type {number | null} */
  #changedAt = null;

  /** @param {import("../time.js").Time} time */
  constructor(time) {
    this.#time = time;
  }

  /** How many batches the page can have in flight. */
  get credit() {
    return this.#credit.batches;
  }

  /** Another link may take another way. */
  forgetTrips() {
    this.#credit.forgetTrips();
  }

  /** Whether the round trip has not been measured for a while. */
  get isMeasureDue() {
    return this.#time.now() - this.#measuredAt >= MEASURE_EVERY_MS;
  }

  /** The round trip is being measured. */
  measured() {
    this.#measuredAt = this.#time.now();
  }

  /** The server has answered a ping. @param {{behind?: number}} pong @param {number | null} tripMs */
  ponged({ behind }, tripMs) {
    this.#heldByServer = behind ?? 0;
    if (tripMs !== null) {
      this.#credit.travelled(tripMs);
    }
  }

  /** A batch has come over this connection. @param {Connection} connection @param {any} batch @returns {number} its number */
  received(connection, batch) {
    const changes = batch.complete ? Math.max(0, batch.to - Math.max(0, batch.from)) : 0;
    if (batch.entries !== undefined && batch.from >= 0) {
      this.#conflated += changes - batch.entries.filter((/** @type {any} */ { last }) => last !== false).length;
    }
    this.#changedAt = this.#time.now();
    return connection.receive({ at: this.#changedAt, changes });
  }

  /** The oldest batch is drawn: it took as long as it was here and the page had nothing older to draw. @param {Connection} connection */
  drew({ oldest }) {
    const now = this.#time.now();
    // What is drawn together with another batch took no time of its own.
    if (oldest && now > this.#drawnAt) {
      this.#credit.drew(now - Math.max(oldest.at, this.#drawnAt));
      this.#drawnAt = now;
    }
  }

  /** @param {Connection | null} connection @returns {Behind} */
  behind(connection) {
    const conflated = Math.max(0, this.#conflated);
    if (!connection?.oldest) {
      return { behindMs: 0, behindChanges: 0, changedAt: this.#changedAt, conflated };
    }
    return {
      behindMs: Math.max(0, this.#time.now() - connection.oldest.at),
      behindChanges: connection.undrawnChanges + this.#heldByServer,
      changedAt: this.#changedAt,
      conflated,
    };
  }
}
