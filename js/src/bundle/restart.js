/** Replies travel: the doubt is on the side of what would otherwise be taken from the page. */
const SLACK_MS = 2_000;

/**
 * What the restart of a server did to the windows of one view: of those that are missing afterwards, which were closed, and which has the
 * server lost?
 *
 * A server says what it has gone on from (docs/protocol.md, section 3). What this page knew of before that was written would be there, had
 * nobody closed it. Of anything newer, and of the state of any other server, nothing can be known but that it is not there.
 */
export class Restart {
  #time;
  /** Since when this page has known each window. @type {Map<string, number>} */
  #known = new Map();
  /** The last server whose state was here as a whole, and the name of that state. @type {{server: string, state: string | null} | null} */
  #before = null;
  /** The name of the state of the server that is speaking now. @type {string | null} */
  #state = null;
  /** When what it has gone on from was written, milliseconds since 1970. */
  #restoredAt = -Infinity;

  /** @param {import("../time.js").Time} time */
  constructor(time) {
    this.#time = time;
  }

  /** A snapshot begins. @param {any} header of the verdict */
  begin(header) {
    const { state = null, age_s = null } = header?.restored ?? {};
    this.#state = typeof state === "string" ? state : null;
    this.#restoredAt = typeof age_s === "number" ? this.#time.now() - age_s * 1000 - SLACK_MS : -Infinity;
  }

  /** @param {{changed: string[], removed: string[]}} change */
  note({ changed, removed }) {
    for (const key of changed) if (!this.#known.has(key)) this.#known.set(key, this.#time.now());
    for (const key of removed) this.#known.delete(key);
  }

  /**
   * A snapshot is complete. To be called before the change is noted.
   *
   * @param {string} server its id
   * @param {Map<string, any>} absent what the snapshot did not have
   * @returns {Map<string, any>} of these, what the server has lost
   */
  complete(server, absent) {
    const before = this.#before;
    this.#before = { server, state: this.#state };
    if (before === null || before.server === server) return new Map();
    const goesOn = this.#state !== null && this.#state === before.state;
    return new Map([...absent].filter(([key]) => !goesOn || (this.#known.get(key) ?? Infinity) > this.#restoredAt));
  }
}
