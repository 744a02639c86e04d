import { Restart } from "./restart.js";

/** As many windows are kept, the newest. */
const MOST = 1_000;

/** Stands behind the title of a pane. */
const MARK = "(lost)";

/**
 * The last picture of windows that the server has lost: a layer above the replicas, for whoever is looking at it. Nothing of it goes to
 * the server, and it ends with the tab, or when somebody has seen enough of it.
 */
export class LastPicture {
  #time;
  #onchange;
  #restart;
  /** Of the view that is shown. */ #feed = "";
  /** When the last server but one was last heard of. */ #heardAt = 0;
  /** Of all views, oldest first. @type {{feed: string, pane: string, window: any, since: number}[]} */ #records = [];

  /** @param {{time: import("../time.js").Time, onchange: () => void}} options  `onchange` is called when `facts` may have changed */
  constructor({ time, onchange }) {
    this.#time = time;
    this.#onchange = onchange;
    this.#restart = new Restart(time);
  }

  /** Another view is shown. @param {string} feed */
  show(feed) {
    this.#feed = feed;
    this.#restart = new Restart(this.#time);
    this.#onchange();
  }

  /** Another server is there. @param {number} since when the one before was last heard of, milliseconds since 1970 */
  meet(since) {
    this.#heardAt = since;
  }

  /** A snapshot of the view begins. @param {any} header of the verdict */
  begin(header) {
    this.#restart.begin(header);
  }

  /** Windows have come and gone. @param {{changed: string[], removed: string[]}} change */
  note(change) {
    this.#restart.note(change);
  }

  /**
   * A snapshot is complete. To be called before what it changed is noted.
   *
   * @param {string} server its id
   * @param {Map<string, any>} absent what the snapshot did not have, by key
   * @param {(pane: string) => boolean} isShown
   * @returns {number} how many windows that are shown the server has lost
   */
  end(server, absent, isShown) {
    const lost = [];
    for (const [key, window] of this.#restart.complete(server, absent)) {
      const pane = window?.id ?? key;
      if (window && isShown(pane)) lost.push({ feed: this.#feed, pane, window: marked(window), since: this.#heardAt });
    }
    if (lost.length) {
      this.#records = [...this.#records, ...lost].slice(-MOST);
      this.#onchange();
    }
    return lost.length;
  }

  /** What is kept of the view, by pane. @returns {Map<string, any>} */
  get windows() {
    return new Map(this.#shown.map(({ pane, window }) => [pane, window]));
  }

  /**
   * For people: the panes, and when the server was last known to have all of them (milliseconds since 1970); null if none are kept.
   *
   * @returns {{panes: string[], since: number} | null}
   */
  get facts() {
    const shown = this.#shown;
    return shown.length ? { panes: shown.map(({ pane }) => pane), since: Math.min(...shown.map(({ since }) => since)) } : null;
  }

  /** @param {string | null} pane */
  has(pane) {
    return this.#shown.some((record) => record.pane === pane);
  }

  /** What is said of panes, of windows alone. @template T @param {Record<string, T> | undefined} said by pane @returns {Record<string, T>} */
  without(said) {
    const kept = this.windows;
    return Object.fromEntries(Object.entries(said ?? {}).filter(([pane]) => !kept.has(pane)));
  }

  /** Forget some of the view's panes, or all of them. @param {{has: (pane: string) => boolean}} [panes] */
  drop(panes) {
    this.#forget((record) => record.feed === this.#feed && (panes === undefined || panes.has(record.pane)));
  }

  /** Forget what is kept of a view that is no more. @param {string} feed */
  dropView(feed) {
    this.#forget((record) => record.feed === feed);
  }

  /** @param {(record: {feed: string, pane: string}) => boolean} which */
  #forget(which) {
    const left = this.#records.filter((record) => !which(record));
    if (left.length === this.#records.length) return;
    this.#records = left;
    this.#onchange();
  }

  get #shown() {
    return this.#records.filter(({ feed }) => feed === this.#feed);
  }
}

/** The pane is drawn once more, and not as the server's: what identifies its content is another too. @param {any} window */
const marked = (window) => ({
  ...window,
  title: [window.title, MARK].filter(Boolean).join(" "),
  contentID: `${window.contentID}-kept`,
});
