/**
 * One link, and what belongs to it alone: what was granted to the server, which batches came, and which of them are drawn.
 *
 * @typedef {import("../links/websocket.js").Link} Link
 * @typedef {import("../protocol.js").Hello} Hello
 * @typedef {{url: string, here: boolean, heardAt: number}} Source `heardAt` in milliseconds since 1970
 * @typedef {{at: number, changes: number}} Undrawn when a batch came, and how many changes it brought
 */

import { Acknowledging } from "./acknowledging.js";

export class Connection {
  welcomed = false;
  /** It took over from a poll that was live. */
  climbs = false;
  /** What the server follows, and whether that is there; null for one that follows none. @type {Source | null} */
  source = null;
  /** As many batches as the server sends at most without an acknowledgement; 0 when it does not say. */
  serverWindow = 0;
  #acknowledging;
  /** Batches that may be undrawn. */
  #credit;
  /** Unacknowledged batches that the server may have in flight, as it was told. */
  #granted;
  #received = 0;
  #drawn = 0;
  /** The newest of what was received. @type {(Undrawn & {chars: number})[]} */
  #undrawn = [];
  #settling = false;

  /** @param {{link: Link, hello: Hello, time: import("../time.js").Time, openedAt: number, granted: number}} options */
  constructor({ link, hello, time, openedAt, granted }) {
    this.link = link;
    this.hello = hello;
    this.openedAt = openedAt;
    this.#credit = this.#granted = granted;
    this.#acknowledging = new Acknowledging({
      time,
      send: (batches, agoMs) => {
        link.acknowledge(batches, agoMs);
        this.#tellWindow();
      },
    });
  }

  /** Let the server send for as long as fewer batches are undrawn. @param {number} credit */
  grant(credit) {
    this.#credit = credit;
    if (!this.welcomed) return;
    this.#acknowledging.settle(this.#room);
    this.#tellWindow();
  }

  #tellWindow() {
    const window = this.#credit + Math.min(this.#room, this.#acknowledging.extra);
    if (this.#granted === window) return;
    // For a poll the poll is the credit. Only that there is none has to be said.
    if (this.link.kind === "websocket" || window === 0 || this.#granted === 0) {
      this.link.send({ type: "credit", window });
    }
    this.#granted = window;
  }

  /** How many batches may be in flight beyond the credit, drawn and not acknowledged. For a poll the acknowledgement is the next poll. */
  get #room() {
    const mayWait = this.link.kind === "websocket" && this.#credit > 0;
    return mayWait ? Math.max(0, this.serverWindow - this.#credit) : 0;
  }

  /** A batch has come. Returns its number. @param {Undrawn} batch */
  receive(batch) {
    this.#undrawn.push({ ...batch, chars: this.link.newestChars });
    this.#acknowledging.received();
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

  /** Batches up to this number are drawn, or will never be. @param {number} [number] */
  acknowledge(number = this.#received) {
    const drawn = this.#undrawn.splice(0, number - this.#drawn);
    this.#drawn += drawn.length;
    this.#acknowledging.drew(
      this.#drawn,
      drawn.reduce((sum, { chars }) => sum + chars, 0),
    );
    if (this.#settling) return;
    this.#settling = true;
    // Later, so that one frame gives one acknowledgement.
    queueMicrotask(() => {
      this.#settling = false;
      this.#acknowledging.settle(this.#undrawn.length ? 0 : this.#room);
    });
  }
}
