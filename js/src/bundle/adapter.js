/**
 * Shows a session to Visdom's own bundle as a WebSocket that never breaks.
 *
 * The bundle's panes are one more replica. What they hold is remembered (`delivered`), and every flush delivers the difference to the
 * session's replica of the environment in view; that one rule serves live updates, catching up, reopening and switching.
 */

import { Alarm, browserTime } from "../time.js";
import { locate, paneOf } from "./aim.js";
import { BundleBatch } from "./batch.js";
import { Closes } from "./closes.js";
import { withoutPane } from "./event.js";
import { Panes } from "./panes.js";
import { LastPicture } from "./picture.js";
import { envView } from "./requests.js";
import { BundleSocket } from "./socket.js";

/**
 * @typedef {import("./requests.js").View} View
 * @typedef {{code: string, message: string}} CommandError
 * @typedef {Pick<import("../session.js").Session,
 *   "welcome" | "state" | "subscribe" | "unsubscribe" | "replica" | "command" | "goOffline" | "goOnline">} BundleSession
 *
 * @typedef {object} BundleOptions
 * @property {BundleSession} session
 * @property {(run: () => void) => void} [requestFrame]
 * @property {import("../drawing/after-draw.js").Drawn} [afterDraw]
 * @property {(contentID: string) => boolean} [isNear] whether a pane that was drawn with this content id is in view, or nearly
 * @property {import("../time.js").Time} [time]
 * @property {import("./batch.js").Timers} [timers] where the bundle's code finds setTimeout
 * @property {(error: CommandError, command: any) => void} [onerror]  a command was refused
 * @property {(text: string) => void} [onproblem]  an environment in view cannot be shown, and why
 * @property {(windows: {restored: number, lost: number}) => void} [onrestarted]
 *   the server has restarted and the panes are current; how many windows it has, and how many of those that are shown it has lost
 * @property {() => void} [onkept]  `kept` may have changed
 */

/** A pane out of view is drawn again no sooner. It is never much out of date, however it comes into view. */
const OUT_OF_VIEW_MS = 1_000;

/** Errors that say that there is nothing to close. */
const GONE = new Set(["unknown_window", "unknown_env"]);

export class Bundle {
  #session;
  #requestFrame;
  #afterDraw;
  #batch;
  #isNear;
  #time;
  #lateAlarm;
  #onerror;
  #onproblem;
  #onrestarted;
  /** @type {BundleSocket | import("./receiver.js").Receiver | null} */ #socket = null;
  #registered = 0;
  /** @type {string | null} */ #answered = null;
  /** @type {{readonly: boolean, server: string} | null} the welcome the bundle knows of */ #welcome = null;
  /** A restarted server has been met; then, its snapshot has arrived. @type {"" | "met" | "known"} */ #restart = "";
  /** How many windows it has lost. */ #lost = 0;
  #picture;
  /** @type {View | null} */ #view = null;
  #held = false;
  /** There is something to flush. */ #due = false;
  #frameRequested = false;
  /** The bundle is still drawing what the last flush delivered. */ #drawing = false;
  /** Whoever waits for the next flush to be drawn. @type {(() => void)[]} */ #waiting = [];

  #delivered = new Panes();
  /** Keys changed since they were delivered, whatever their content id says. @type {Set<string>} */ #dirty = new Set();
  #closes = new Closes();
  /** @type {Set<string>} */ #sharedChanged = new Set();
  #reloadDue = false;
  #layoutDue = false;
  /** 0.3.0 redraws a plot only when its version differs, but a window that is replaced begins again with version 1. */
  #version = 0;
  /** The pane whose removal is being delivered. @type {string | null} */ #echo = null;

  /** @param {BundleOptions} options */
  constructor({ session, requestFrame, afterDraw, isNear, time, timers, onerror, onproblem, onrestarted, onkept }) {
    this.#session = session;
    this.#requestFrame = requestFrame ?? ((run) => void requestAnimationFrame(run));
    this.#afterDraw = afterDraw ?? ((callback) => callback());
    this.#batch = new BundleBatch(timers ?? globalThis);
    this.#isNear = isNear ?? (() => true);
    this.#time = time ?? browserTime;
    this.#lateAlarm = new Alarm(this.#time);
    this.#onerror = onerror ?? (() => {});
    this.#onproblem = onproblem ?? (() => {});
    this.#onrestarted = onrestarted ?? (() => {});
    this.#picture = new LastPicture({ time: this.#time, onchange: onkept ?? (() => {}) });
    session.subscribe("shared", {
      onchanges: ({ changed, removed }) => {
        for (const key of [...changed, ...removed]) this.#sharedChanged.add(key);
        this.#open();
        this.#schedule();
      },
    });
    session.subscribe("notifications", {
      onevents: ({ events }) => {
        for (const event of events) this.#socket?.deliver({ command: "notification", data: event });
      },
    });
  }

  /** The view the bundle shows, or null before it asked for one. */
  get view() {
    return this.#view;
  }

  /** How many panes the bundle holds. */
  get panes() {
    return this.#delivered.size;
  }

  /** The panes in view that show windows which the server has lost. */
  get kept() {
    return this.#picture.facts;
  }

  /** A person has seen enough of these. */
  dismissKept() {
    this.#picture.drop();
    this.#schedule();
  }

  /**
   * Calls back once the bundle has drawn what the replicas hold now. Nothing is flushed while it is still drawing, so a slow Plotly
   * slows whoever waits for this, and versions that come meanwhile replace each other in the replica.
   *
   * @type {import("../drawing/after-draw.js").Drawn}
   */
  drawn = (callback) => {
    if (this.#due) this.#waiting.push(callback);
    else this.#afterDraw(callback);
  };

  /** The socket for a bundle that connects. It opens as soon as there is something to say. @param {string} url @returns {BundleSocket} */
  connect(url) {
    return this.attach(
      (owner) => new BundleSocket(url, { ...owner, onsend: (text) => owner.onsend(withoutPane(JSON.parse(text))) }),
    );
  }

  /**
   * Connects a bundle to what `make` returns; only the one attached last is delivered to.
   *
   * @template {BundleSocket | import("./receiver.js").Receiver} T
   * @param {(owner: {onsend: (command: any) => void, onclosing: () => void}) => T} make
   * @returns {T}
   */
  attach(make) {
    const socket = make({
      onsend: (command) => this.#receive(command),
      onclosing: () => {
        if (this.#socket !== socket) return;
        this.#socket = null;
        this.#session.goOffline();
      },
    });
    this.#session.goOnline();
    // Not before the bundle has set its handlers.
    queueMicrotask(() => {
      this.#socket = socket;
      this.#open();
    });
    return socket;
  }

  /**
   * The bundle asks for a view, or for the same one again.
   *
   * @param {View} view
   * @param {string | null} sid  as registered
   */
  show(view, sid) {
    // The bundle asks once after each register; it has not lost anything then. Later it does when its panes are empty.
    const answersRegister = sid !== this.#answered;
    this.#answered = sid;
    if (view.feed !== this.#view?.feed || this.#held) {
      this.#delivered.clear();
      this.#subscribe(view);
    } else if (!answersRegister) this.#deliverAgain();
  }

  /** To be called when other panes have come into view. */
  look() {
    if (this.#dirty.size) this.#schedule();
  }

  /** To be called when the session's state has changed. */
  update() {
    this.#open();
    const welcome = this.#session.welcome;
    if (!welcome || !this.#welcome || welcome === this.#welcome) return;
    if (welcome.server !== this.#welcome.server) {
      this.#restart = "met";
      const { at, awayMs } = this.#session.state.lastReturn ?? { at: this.#time.now(), awayMs: 0 };
      this.#picture.meet(at - awayMs);
    }
    if (welcome.readonly !== this.#welcome.readonly) this.#register(welcome.readonly);
    this.#welcome = welcome;
  }

  #open() {
    const envs = this.#session.replica("shared")?.values.get("envs");
    const welcome = this.#session.welcome;
    if (this.#socket?.readyState !== 0 || !welcome || !envs) return;
    this.#welcome = welcome;
    this.#socket.open();
    this.#register(welcome.readonly);
    this.#sharedChanged = new Set(this.#session.replica("shared")?.values.keys());
    this.#flushShared();
    // What the user closed while the bundle was disconnected, it told nobody.
    this.#deliverAgain();
  }

  #deliverAgain() {
    this.#delivered.spoil();
    this.#reloadDue = this.#layoutDue = true;
    this.#schedule();
  }

  /** @param {boolean} readonly */
  #register(readonly) {
    // 0.3.0 lays its panes out anew after a register: those it had then, when it renders next. That must not be with what is
    // delivered afterwards, or a pane that is new is taken away again, and one that was closed comes back. A list of environments
    // makes it render.
    const envList = this.#session.replica("shared")?.values.get("envs") ?? [];
    this.#socket?.deliver({ command: "register", data: `tab-${++this.#registered}`, readonly, envList });
  }

  /** @param {View} view */
  #subscribe(view) {
    if (this.#view) this.#session.unsubscribe(this.#view.feed);
    this.#view = view;
    this.#dirty.clear();
    this.#closes.clear();
    this.#picture.show(view.feed);
    this.#held = false;
    this.#reloadDue = this.#layoutDue = true;
    const mine = () => this.#view === view;
    this.#session.subscribe(view.feed, {
      onsubscribed: ({ recovered, header }) => {
        if (!mine() || recovered) return;
        this.#reloadDue = true;
        this.#picture.begin(header);
        if (typeof header?.problem === "string") this.#onproblem(header.problem);
      },
      onchanges: ({ changed, removed, absent, complete, snapshot }) => {
        if (!mine()) return;
        if (!snapshot) for (const key of changed) this.#dirty.add(key);
        else if (complete) {
          this.#layoutDue = true;
          if (this.#restart) this.#restart = "known";
          // Whatever became of a close: what exists now is shown.
          this.#closes.settle();
          this.#lost = this.#picture.end(this.#session.welcome?.server ?? "", absent, (pane) => this.#delivered.has(pane));
        }
        this.#picture.note({ changed, removed });
        this.#schedule();
      },
    });
    this.#schedule();
  }

  #schedule() {
    this.#due = true;
    if (this.#frameRequested || this.#drawing) return;
    this.#frameRequested = true;
    this.#requestFrame(() => {
      this.#frameRequested = false;
      this.#flush();
    });
  }

  #flush() {
    this.#due = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      if (this.#socket?.readyState === 1) {
        this.#flushShared();
        if (this.#view && !this.#held) this.#flushView(this.#view);
      }
    } finally {
      const drawing = this.#batch.process();
      this.#drawing ||= drawing;
      this.#afterDraw(() => {
        if (drawing) this.#drawing = false;
        if (this.#due) this.#schedule();
        for (const drawn of waiting) drawn();
      });
    }
  }

  #flushShared() {
    const changed = this.#sharedChanged;
    const values = this.#session.replica("shared")?.values;
    if (!changed.size || !values) return;
    this.#sharedChanged = new Set();
    if (changed.has("layouts")) this.#socket?.deliver({ command: "layout_update", data: values.get("layouts") ?? "" });
    // Saved layouts replace the bundle's list of environments with those that have some, hence the list after it.
    if (changed.has("layouts") || changed.has("envs")) this.#deliverEnvs();
    for (const key of changed) if (key.startsWith("undo/")) this.#deliverUndo(key.slice("undo/".length));
  }

  #deliverEnvs() {
    this.#socket?.deliver({ command: "env_update", data: this.#session.replica("shared")?.values.get("envs") ?? [] });
  }

  /** @param {string} env */
  #deliverUndo(env) {
    const count = this.#session.replica("shared")?.values.get(`undo/${env}`);
    // Only a server whose bundle understands it has this key.
    if (count !== undefined) this.#socket?.deliver({ command: "undo_state", eid: env, count });
  }

  /** @param {View} view */
  #flushView(view) {
    const replica = this.#session.replica(view.feed);
    if (!replica) return;
    if (this.#reloadDue && replica.header?.reload) {
      this.#socket?.deliver({ command: "reload", data: replica.header.reload });
      this.#reloadDue = false;
    }

    // In a compare view the key of a window is not the id of its pane.
    /** @type {Map<string, {key: string, window: any}>} */
    const wanted = new Map();
    for (const key of replica.order) {
      const window = replica.values.get(key);
      if (window) wanted.set(window.id ?? key, { key, window });
    }
    // The server has these again.
    this.#picture.drop(wanted);
    for (const [pane, window] of this.#picture.windows) wanted.set(pane, { key: pane, window });

    if (replica.synced) {
      const gone = this.#delivered.ids().filter((pane) => !wanted.has(pane));
      this.#close(gone);
      this.#closes.settle(wanted);
      this.#sayRestarted(replica.values.size);
    }

    /** @type {Set<string>} */
    const late = new Set();
    for (const [pane, { key, window }] of wanted) {
      if (this.#closes.hides(pane, window)) continue;
      if (this.#delivered.holds(pane, window.contentID) && !this.#dirty.has(key)) continue;
      if (this.#mayWait(pane)) {
        late.add(key);
        continue;
      }
      this.#delivered.deliver(pane, window.contentID, this.#time.now());
      this.#batch.collect(() =>
        this.#socket?.deliver({
          ...window,
          ...(window.version === undefined ? {} : { version: ++this.#version }),
          command: "window",
          ...(view.compare ? { has_compare: true } : { eid: view.envs[0] }),
        }),
      );
    }
    this.#dirty = late;
    if (late.size) this.#lateAlarm.set(OUT_OF_VIEW_MS, () => this.#schedule());

    if (this.#layoutDue && replica.synced) {
      this.#layoutDue = false;
      this.#socket?.deliver({ command: "layout" });
      if (!view.compare) this.#deliverUndo(view.envs[0]);
    }
  }

  /** Nobody sees the pane, and it was drawn a moment ago. @param {string} pane */
  #mayWait(pane) {
    const contentID = this.#delivered.contentID(pane);
    const age = this.#delivered.age(pane, this.#time.now());
    return typeof contentID === "string" && age >= 0 && age < OUT_OF_VIEW_MS && !this.#isNear(contentID);
  }

  /** @param {number} restored */
  #sayRestarted(restored) {
    if (this.#restart !== "known") return;
    this.#restart = "";
    this.#onrestarted({ restored, lost: this.#lost });
  }

  /** @param {string[]} panes */
  #close(panes) {
    if (!panes.length) return;
    const readonly = this.#welcome?.readonly;
    // A readonly bundle refuses to remove a pane, whoever wants it, and has no other way. It is told that it may,
    // and that it may not, within one task: nothing is painted and nobody can click in between.
    if (readonly) this.#register(false);
    for (const pane of panes) {
      this.#delivered.forget(pane);
      // The bundle answers, before deliver() returns, with a close command of its own, which would hit whatever has that id by now.
      this.#echo = pane;
      this.#socket?.deliver({ command: "close", data: pane });
      this.#echo = null;
    }
    if (readonly) this.#register(true);
  }

  /** @param {any} command  of the bundle */
  #receive(command) {
    if (command.cmd === "close" && command.data === this.#echo) return;
    const pane = command.cmd === "close" ? command.data : null;
    const contentID = this.#delivered.contentID(pane);
    if (pane !== null) this.#delivered.forget(pane);
    if (this.#picture.has(paneOf(command))) {
      // The server has no such window: there is nobody to tell anything about it.
      if (pane !== null) this.#picture.drop(new Set([pane]));
      return;
    }
    if (pane !== null) this.#closes.begin(pane, contentID);
    if (command.cmd === "delete_env") this.#picture.dropView(envView(command.eid).feed);
    if (command.cmd === "save" && this.kept) command = { ...command, data: this.#picture.without(command.data) };
    if (command.cmd === "save" && this.#view && command.eid !== this.#view.envs[0]) this.#held = true;

    const view = this.#view;
    const sent = view?.compare ? locate(command, view, this.#session.replica("shared")?.values.get("envs") ?? []) : command;
    if (!sent) {
      if (pane !== null) this.#closeAnswered(pane, true);
      return;
    }
    void this.#session.command(sent).then(({ error }) => {
      if (pane !== null && this.#view === view) this.#closeAnswered(pane, error !== null);
      // The bundle calls its panes the saved environment from now on, whatever the reply.
      if (command.cmd === "save" && this.#held && this.#view === view) this.#subscribe(envView(command.eid));
      // Closing what is gone already is no failure.
      if (error && !(pane !== null && GONE.has(error.code))) this.#onerror(error, command);
    });
  }

  /** @param {string} pane @param {boolean} refused */
  #closeAnswered(pane, refused) {
    if (refused) this.#closes.undo(pane);
    else this.#closes.end(pane, this.#window(pane));
    this.#schedule();
  }

  /** @param {string} pane */
  #window(pane) {
    const values = this.#session.replica(this.#view?.feed ?? "")?.values;
    return [...(values?.values() ?? [])].find((window) => window.id === pane) ?? values?.get(pane);
  }
}
