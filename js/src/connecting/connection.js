/**
 * One link, and what belongs to it alone: what was granted to the server, which batches came, and which of them are drawn.
 *
 * @typedef {import("../links/websocket.js").Link} Link
 * @typedef {import("../protocol.js").Hello} Hello
 * @typedef {{at: number, changes: number}} Undrawn when a batch came, and how many changes it brought
 */

export class Connection {
  welcomed = false;
  /** It took over from a poll that was live. */
  climbs = false;
  /** Unacknowledged batches that the server may have in flight. */
  #granted;
  #received = 0;
  /** The newest of these. @type {Undrawn[]} */
  #undrawn = [];
  #acknowledging = false;

  /** @param {{link: Link, hello: Hello, openedAt: number, granted: number}} options */
  constructor({ link, hello, openedAt, granted }) {
    this.link = link;
    this.hello = hello;
    this.openedAt = openedAt;
    this.#granted = granted;
  }

  /** Tell the server how many batches it may have in flight. @param {number} credit */
  grant(credit) {
    if (!this.welcomed || this.#granted === credit) {
      return;
    }
    // For a poll the poll is the credit. Only that there is none has to be said.
    if (this.link.kind === "websocket" || credit === 0 || this.#granted === 0) {
      this.link.send({ type: "credit", window: credit });
    }
    this.#granted = credit;
  }

  /** A batch has come. Returns its number. @param {Undrawn} batch */
  receive(batch) {
    this.#undrawn.push(batch);
    return ++this.#received;
  }

  /** The batch that has waited longest for being drawn. @returns {Undrawn | undefined} */
  get oldest() {
    return this.#undrawn[0];
  }

  get undrawnChanges() {
    return this.#undrawn.reduce((sum, { changes }) => sum + changes, 0);
  }

  /** @param {number} number */
  isUndrawn(number) {
    return this.#drawn < number;
  }

  get #drawn() {
    return this.#received - this.#undrawn.length;
  }

  /** Batches up to this number are drawn, or will never be. @param {number} [number] */
  acknowledge(number = this.#received) {
    this.#undrawn.splice(0, number - this.#drawn);
    if (!this.#acknowledging) {
      this.#acknowledging = true;
      // Later, so that one frame gives one acknowledgement.
      queueMicrotask(() => {
        this.#acknowledging = false;
        this.link.acknowledge(this.#drawn);
      });
    }
  }
}
