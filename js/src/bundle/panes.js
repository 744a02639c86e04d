/** The identity of what the bundle wants again. */
const STALE = Symbol("stale");

/** What the bundle's panes hold, as far as it was delivered: one more replica. */
export class Panes {
  /** By id. @type {Map<string, {contentID: unknown, at: number}>} */ #panes = new Map();

  get size() {
    return this.#panes.size;
  }

  ids() {
    return [...this.#panes.keys()];
  }

  /** @param {string} pane */
  has(pane) {
    return this.#panes.has(pane);
  }

  /** @param {string} pane @returns {unknown} */
  contentID(pane) {
    return this.#panes.get(pane)?.contentID;
  }

  /** @param {string} pane @param {unknown} contentID */
  holds(pane, contentID) {
    const held = this.#panes.get(pane);
    return held !== undefined && held.contentID === contentID;
  }

  /** How long ago it was delivered. @param {string} pane @param {number} now */
  age(pane, now) {
    return now - (this.#panes.get(pane)?.at ?? 0);
  }

  /** @param {string} pane @param {unknown} contentID @param {number} at */
  deliver(pane, contentID, at) {
    this.#panes.set(pane, { contentID, at });
  }

  /** The bundle wants all of them again. */
  spoil() {
    for (const held of this.#panes.values()) held.contentID = STALE;
  }

  /** @param {string} pane */
  forget(pane) {
    this.#panes.delete(pane);
  }

  clear() {
    this.#panes.clear();
  }
}
