/**
 * Panes that a person closed: they must not come back by themselves, whatever the server says until it has heard of it.
 *
 * @typedef {{contentID: unknown, pending: boolean}} Close `pending` until the server has answered
 */
export class Closes {
  /** @type {Map<string, Close>} */ #closes = new Map();

  /** A person has closed the pane, with this content. @param {string} pane @param {unknown} contentID */
  begin(pane, contentID) {
    this.#closes.set(pane, { contentID, pending: true });
  }

  /**
   * The server has answered.
   *
   * @param {string} pane
   * @param {any} window  the one that is there now in spite of it, for the reply may overtake the removal: only one with other content is new
   */
  end(pane, window) {
    if (window) this.#closes.set(pane, { contentID: window.contentID, pending: false });
    else this.#closes.delete(pane);
  }

  /** The server has refused. @param {string} pane */
  undo(pane) {
    this.#closes.delete(pane);
  }

  /** Whether the window is one that was closed. One that is not makes its close a thing of the past. @param {string} pane @param {any} window */
  hides(pane, window) {
    const close = this.#closes.get(pane);
    if (close && (close.pending || close.contentID === window.contentID)) return true;
    this.#closes.delete(pane);
    return false;
  }

  /** Forget what was answered, except of the panes given. @param {{has: (pane: string) => boolean}} [except] */
  settle(except) {
    for (const [pane, { pending }] of this.#closes) if (!pending && !except?.has(pane)) this.#closes.delete(pane);
  }

  clear() {
    this.#closes.clear();
  }
}
