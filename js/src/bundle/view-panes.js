/**
 * The panes of the view that the bundle shows.
 *
 * They are one more replica. What they hold is remembered, and every flush delivers the difference to the session's replica of the
 * view's feed; that one rule serves live updates, catching up, reopening and switching.
 */

import { Alarm } from "../time.js";
import { Closes } from "./closes.js";
import { Panes } from "./panes.js";

/**
 * @typedef {import("./requests.js").View} View
 * @typedef {import("../feeds/state-replica.js").StateReplica} StateReplica
 * @typedef {Map<string, {key: string, window: any}>} Wanted windows to be shown by pane, with their keys in the feed
 *
 * @typedef {object} ViewPanesOptions
 * @property {import("../session.js").PageSession} session
 * @property {import("./picture.js").LastPicture} picture
 * @property {import("./shared.js").Shared} shared
 * @property {(message: object) => void} deliver gives the bundle a message
 * @property {(deliver: () => void) => void} collect has a window delivered into the bundle's batch
 * @property {(run: () => void) => void} asWritable runs something while the bundle believes that it is not readonly
 * @property {() => void} schedule has `flush` called soon
 * @property {(contentID: string) => boolean} isNear
 * @property {import("../time.js").Time} time
 * @property {(text: string) => void} onproblem
 * @property {(windows: {restored: number, lost: number}) => void} onrestarted
 */

/** A pane out of view is drawn again no sooner. It is never much out of date, however it comes into view. */
const OUT_OF_VIEW_MS = 1_000;
/** As many panes that nobody is known to see are given to the bundle at once: it takes all of them in one task. */
const AT_ONCE = 25;

/** How many keys are named to the server as near: a few screens full. */
const MOST_NEAR = 200;

export class ViewPanes {
  /** What the bundle shows, or null before it asked for something. @type {View | null} */
  view = null;
  /** The bundle is about to call its panes another environment: until then it gets nothing. */
  isHeld = false;

  #options;
  #lateAlarm;
  #delivered = new Panes();
  /** Keys changed since they were delivered, whatever their content id says. @type {Set<string>} */ #dirty = new Set();
  #closes = new Closes();
  #reloadDue = false;
  #layoutDue = false;
  /** 0.3.0 redraws a plot only when its version differs, but a window that is replaced begins again with version 1. */
  #version = 0;
  /** The pane whose removal is being delivered. @type {string | null} */ #echo = null;
  /** A restarted server has been met; then, its snapshot has arrived. @type {"" | "met" | "known"} */ #restart = "";
  /** How many windows it has lost. */ #lost = 0;

  /** @param {ViewPanesOptions} options */
  constructor(options) {
    this.#options = options;
    this.#lateAlarm = new Alarm(options.time);
  }

  /** How many the bundle holds. */
  get size() {
    return this.#delivered.size;
  }

  /** Whether there are changes that panes out of view wait for. */
  get isLate() {
    return this.#dirty.size > 0;
  }

  // --- which view ---

  /** @param {View} view */
  isShowing(view) {
    return view.feed === this.view?.feed && !this.isHeld;
  }

  /** The bundle shows a view, and has emptied its panes for it. @param {View} view */
  show(view) {
    this.#delivered.clear();
    this.follow(view);
  }

  /** The panes are those of a view from now on, and stay. @param {View} view */
  follow(view) {
    const { session, picture, schedule } = this.#options;
    if (this.view) session.unsubscribe(this.view.feed);
    this.view = view;
    this.#dirty.clear();
    this.#closes.clear();
    picture.show(view.feed);
    this.isHeld = false;
    this.#reloadDue = this.#layoutDue = true;
    const isMine = () => this.view === view;
    session.subscribe(view.feed, {
      onsubscribed: (verdict) => {
        if (isMine()) this.#onSubscribed(verdict);
      },
      onchanges: (change) => {
        if (isMine()) this.#onChanges(change);
      },
      near: () => (isMine() ? this.#near() : []),
    });
    schedule();
  }

  /** Deliver nothing until `follow`. */
  hold() {
    this.isHeld = true;
  }

  /** The bundle has lost its panes, or may have lost some. */
  deliverAgain() {
    this.#delivered.spoil();
    this.#reloadDue = this.#layoutDue = true;
    this.#options.schedule();
  }

  /** Another server is there. @param {number} since when the one before was last heard of, milliseconds since 1970 */
  meetServer(since) {
    this.#restart = "met";
    this.#options.picture.meet(since);
  }

  /** @param {import("../protocol.js").Verdict} verdict */
  #onSubscribed({ recovered, header }) {
    if (recovered) return;
    const { picture, onproblem } = this.#options;
    this.#reloadDue = true;
    picture.begin(header);
    if (typeof header?.problem === "string") onproblem(header.problem);
  }

  /** @param {import("../feeds/feeds.js").FeedChange} change */
  #onChanges({ changed, removed, absent, complete, snapshot }) {
    const { session, picture, schedule } = this.#options;
    if (!snapshot) for (const key of changed) this.#dirty.add(key);
    else if (complete) {
      this.#layoutDue = true;
      if (this.#restart) this.#restart = "known";
      // Whatever became of a close: what exists now is shown.
      this.#closes.settle();
      this.#lost = picture.end(session.welcome?.server ?? "", absent, (pane) => this.#delivered.has(pane));
    }
    picture.note({ changed, removed });
    schedule();
  }

  // --- what a person closes ---

  /** Whether a close is the bundle's answer to one that is being delivered. @param {string} pane */
  isEcho(pane) {
    return pane === this.#echo;
  }

  /** A person has closed a pane; the server will answer. @param {string} pane */
  beginClose(pane) {
    this.#closes.begin(pane, this.#delivered.contentID(pane));
    this.#delivered.forget(pane);
  }

  /** The server has answered. @param {string} pane @param {{refused: boolean}} answer */
  endClose(pane, { refused }) {
    if (refused) this.#closes.undo(pane);
    else this.#closes.end(pane, this.#windowOf(pane));
    this.#options.schedule();
  }

  /** A person has closed a pane whose window the server has lost. @param {string} pane */
  dismiss(pane) {
    this.#delivered.forget(pane);
    this.#options.picture.drop(new Set([pane]));
  }

  /** @param {string} pane */
  #windowOf(pane) {
    const values = this.#options.session.replica(this.view?.feed ?? "")?.values;
    return [...(values?.values() ?? [])].find((window) => window.id === pane) ?? values?.get(pane);
  }

  /** The window that has that content now, if any has. @param {string} contentID */
  windowWith(contentID) {
    const { values } = this.#options.session.replica(this.view?.feed ?? "") ?? {};
    for (const window of values?.values() ?? []) if (window?.contentID === contentID) return window;
  }

  // --- the difference ---

  /** Deliver what the panes lack. @returns {boolean} whether that was all */
  flush() {
    const { view } = this;
    const replica = view && !this.isHeld ? this.#options.session.replica(view.feed) : undefined;
    if (!view || !replica) return true;
    if (this.#reloadDue && replica.header?.reload) {
      this.#options.deliver({ command: "reload", data: replica.header.reload });
      this.#reloadDue = false;
    }
    const wanted = this.#wantedFrom(replica);
    if (replica.synced) {
      this.#close(this.#delivered.ids().filter((pane) => !wanted.has(pane)));
      this.#closes.settle(wanted);
      this.#reportRestart(replica.values.size);
    }
    const complete = this.#deliverWindows(view, wanted);
    if (complete && this.#layoutDue && replica.synced) {
      this.#layoutDue = false;
      this.#options.deliver({ command: "layout" });
      if (!view.compare) this.#options.shared.deliverUndo(view.envs[0]);
    }
    return complete;
  }

  /** @param {StateReplica} replica @returns {Wanted} */
  #wantedFrom(replica) {
    const { picture } = this.#options;
    /** @type {Wanted} */
    const wanted = new Map();
    for (const key of replica.order) {
      const window = replica.values.get(key);
      // In a compare view the key of a window is not the id of its pane.
      if (window) wanted.set(window.id ?? key, { key, window });
    }
    // The server has these again.
    picture.drop(wanted);
    for (const [pane, window] of picture.windows) wanted.set(pane, { key: pane, window });
    return wanted;
  }

  /** @param {View} view @param {Wanted} wanted @returns {boolean} whether there is nothing left to be delivered with the next frame */
  #deliverWindows(view, wanted) {
    /** @type {Set<string>} */
    const late = new Set();
    let room = AT_ONCE;
    let complete = true;
    for (const [pane, { key, window }] of wanted) {
      if (this.#closes.hides(pane, window)) continue;
      if (this.#delivered.holds(pane, window.contentID) && !this.#dirty.has(key)) continue;
      if (this.#mayWait(pane)) late.add(key);
      else if (room > 0 || this.#isSeen(pane)) {
        room -= 1;
        this.#deliverWindow(view, pane, window);
      } else {
        late.add(key);
        complete = false;
      }
    }
    this.#dirty = late;
    if (late.size) this.#lateAlarm.set(OUT_OF_VIEW_MS, this.#options.schedule);
    return complete;
  }

  /** @param {View} view @param {string} pane @param {any} window */
  #deliverWindow(view, pane, window) {
    const { collect, deliver, time } = this.#options;
    this.#delivered.deliver(pane, window.contentID, time.now());
    const version = window.version === undefined ? {} : { version: ++this.#version };
    const place = view.compare ? { has_compare: true } : { eid: view.envs[0] };
    collect(() => deliver({ ...window, ...version, command: "window", ...place }));
  }

  /** The keys of panes that a person sees, or nearly. */
  #near() {
    const values = this.#options.session.replica(this.view?.feed ?? "")?.values ?? [];
    const keys = [...values].filter(([key, { id }]) => this.#isNear(id ?? key)).map(([key]) => key);
    return keys.slice(0, MOST_NEAR);
  }

  /** @param {string} pane */
  #isNear(pane) {
    const contentID = this.#delivered.contentID(pane);
    return typeof contentID === "string" && this.#options.isNear(contentID);
  }

  /** Nobody sees the pane, and it was drawn a moment ago. @param {string} pane */
  #mayWait(pane) {
    const age = this.#delivered.age(pane, this.#options.time.now());
    return this.#delivered.has(pane) && age >= 0 && age < OUT_OF_VIEW_MS && !this.#isSeen(pane);
  }

  /** Whether a pane that the bundle has is in view, or nearly. @param {string} pane */
  #isSeen(pane) {
    const contentID = this.#delivered.contentID(pane);
    return this.#delivered.has(pane) && (typeof contentID !== "string" || this.#options.isNear(contentID));
  }

  /** @param {string[]} panes */
  #close(panes) {
    if (!panes.length) return;
    this.#options.asWritable(() => {
      for (const pane of panes) {
        this.#delivered.forget(pane);
        // The bundle answers, before deliver() returns, with a close command of its own, which would hit whatever has that id by now.
        this.#echo = pane;
        this.#options.deliver({ command: "close", data: pane });
        this.#echo = null;
      }
    });
  }

  /** @param {number} restored */
  #reportRestart(restored) {
    if (this.#restart !== "known") return;
    this.#restart = "";
    this.#options.onrestarted({ restored, lost: this.#lost });
  }
}
