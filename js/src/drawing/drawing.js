/** Flow control by drawing: batches are acknowledged once they are drawn, and the server is granted as many as the page can draw. */

import { Lag } from "./lag.js";

/** @typedef {import("../connecting/connection.js").Connection} Connection */

export class Drawing {
  #page;
  #drawn;
  #measure;
  #lag;

  /**
   * @param {object} options
   * @param {import("../time.js").Time} options.time
   * @param {import("../page.js").Page} options.page
   * @param {import("./after-draw.js").Drawn} options.drawn
   * @param {() => void} options.measure measures the round trip of the current link: `ponged` gets the result
   */
  constructor({ time, page, drawn, measure }) {
    this.#page = page;
    this.#drawn = drawn;
    this.#measure = measure;
    this.#lag = new Lag(time);
  }

  /** How many batches the server may have in flight. A hidden page draws nothing, so it takes nothing: the server keeps the newest state. */
  get credit() {
    return this.#page.hidden ? 0 : this.#lag.credit;
  }

  /** What the hello of such a link grants. @param {import("../connecting/choice.js").LinkKind} kind */
  grantedByHello(kind) {
    // Of a poll's hello the server takes no window.
    return kind === "poll" ? this.#lag.credit : this.credit;
  }

  /** @param {Connection} connection @param {import("../protocol.js").Welcome} welcome */
  welcomed(connection, welcome) {
    this.#lag.forgetTrips();
    connection.serverWindow = welcome.window ?? 0;
    this.#measureTrip();
    // The page may have been hidden or shown since the hello.
    connection.grant(this.credit);
  }

  /** A batch has come. @param {Connection} connection @param {any} batch @returns {number} its number */
  received(connection, batch) {
    return this.#lag.received(connection, batch);
  }

  /** Acknowledge a batch once it is drawn. To be asked for after the listeners have planned their drawing. @param {Connection} connection @param {number} number */
  acknowledgeDrawn(connection, number) {
    if (this.#page.hidden) {
      // Nothing will be drawn, and there is no credit for more.
      connection.acknowledge(number);
      return;
    }
    this.#drawn(() => {
      if (connection.isUndrawn(number)) {
        this.#lag.drew(connection);
        if (this.#lag.isMeasureDue) {
          this.#measureTrip();
        }
        connection.acknowledge(number);
      }
    });
  }

  /** The server has answered a ping. @param {Connection} connection @param {{behind?: number}} pong @param {number | null} tripMs */
  ponged(connection, pong, tripMs) {
    this.#lag.ponged(pong, tripMs);
    if (tripMs !== null) {
      connection.grant(this.credit);
    }
  }

  /** The page was hidden: what it has not drawn, it will not draw. @param {Connection | null} connection */
  hidden(connection) {
    connection?.grant(this.credit);
    connection?.acknowledge();
  }

  /** The page was shown. @param {Connection | null} connection */
  shown(connection) {
    connection?.grant(this.credit);
  }

  /** @param {Connection | null} connection */
  behind(connection) {
    return this.#lag.behind(connection);
  }

  #measureTrip() {
    this.#lag.measured();
    this.#measure();
  }
}
