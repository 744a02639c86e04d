/** Shows a session to Visdom's own bundle as a WebSocket that never breaks. */

import { browserTime } from "../time.js";
import { BundleBatch } from "./batch.js";
import { withoutPane } from "./event.js";
import { Frames } from "./frames.js";
import { LastPicture } from "./picture.js";
import { Shared } from "./shared.js";
import { BundleSocket } from "./socket.js";
import { UserCommands } from "./user-commands.js";
import { ViewPanes } from "./view-panes.js";

/**
 * @typedef {import("./requests.js").View} View
 * @typedef {import("./receiver.js").Receiver} Receiver
 *
 * @typedef {object} BundleOptions
 * @property {import("../session.js").PageSession} session
 * @property {(run: () => void) => void} [requestFrame]
 * @property {(run: () => void) => void} [soon] runs something in a task of its own, while the page is visible
 * @property {import("../drawing/after-draw.js").Drawn} [afterDraw]
 * @property {(contentID: string) => boolean} [isNear] whether a pane that was drawn with this content id is in view, or nearly
 * @property {import("../time.js").Time} [time]
 * @property {import("./batch.js").Timers} [timers] where the bundle's code finds setTimeout
 * @property {(error: import("./user-commands.js").CommandError, command: any) => void} [onerror]  a command was refused
 * @property {(text: string) => void} [onproblem]  an environment in view cannot be shown, and why
 * @property {(windows: {restored: number, lost: number}) => void} [onrestarted]
 *   the server has restarted and the panes are current; how many windows it has, and how many of those that are shown it has lost
 * @property {() => void} [onkept]  `kept` may have changed
 */

const nothing = () => {};

export class Bundle {
  #session;
  #frames;
  #shared;
  #panes;
  #commands;
  #picture;
  #time;
  /** @type {BundleSocket | Receiver | null} */ #socket = null;
  /** How often the bundle was registered. */ #registered = 0;
  /** The registration that the bundle has answered by asking for its view. @type {string | null} */ #answered = null;
  /** @type {{readonly: boolean, server: string} | null} the welcome the bundle knows of */ #welcome = null;

  /** @param {BundleOptions} options */
  constructor({
    session,
    requestFrame = (run) => void requestAnimationFrame(run),
    soon = requestFrame,
    afterDraw = (callback) => callback(),
    isNear = () => true,
    time = browserTime,
    timers = globalThis,
    onerror = nothing,
    onproblem = nothing,
    onrestarted = nothing,
    onkept = nothing,
  }) {
    const batch = new BundleBatch(timers);
    const schedule = () => this.#frames.schedule();
    /** @param {object} message */
    const deliver = (message) => this.#socket?.deliver(message);
    this.#session = session;
    this.#time = time;
    this.#frames = new Frames({ soon, requestFrame, afterDraw, flush: () => this.#flush(), process: () => batch.process() });
    this.#picture = new LastPicture({ time, onchange: onkept });
    this.#shared = new Shared({
      session,
      deliver,
      onchange: () => {
        this.#open();
        schedule();
      },
    });
    this.#panes = new ViewPanes({
      session,
      picture: this.#picture,
      shared: this.#shared,
      deliver,
      collect: (run) => batch.collect(run),
      asWritable: (run) => this.#asWritable(run),
      schedule,
      isNear,
      time,
      onproblem,
      onrestarted,
    });
    this.#commands = new UserCommands({
      session,
      panes: this.#panes,
      picture: this.#picture,
      envs: () => this.#shared.envs ?? [],
      onerror,
    });
    session.subscribe("notifications", {
      onevents: ({ events }) => {
        for (const event of events) deliver({ command: "notification", data: event });
      },
    });
  }

  /** The view the bundle shows, or null before it asked for one. */
  get view() {
    return this.#panes.view;
  }

  /** Whether somebody wants to see every point of the plot with that content id. @param {string} contentID */
  isFull(contentID) {
    const detail = this.#panes.windowWith(contentID)?.detail ?? this.#session.welcome?.detail;
    return detail === "full";
  }

  /** How many panes the bundle holds. */
  get panes() {
    return this.#panes.size;
  }

  /** The panes in view that show windows which the server has lost. */
  get kept() {
    return this.#picture.facts;
  }

  /** A person has seen enough of these. */
  dismissKept() {
    this.#picture.drop();
    this.#frames.schedule();
  }

  /** Calls back once the bundle has drawn what the replicas hold now. @type {import("../drawing/after-draw.js").Drawn} */
  drawn = (callback) => this.#frames.drawn(callback);

  // --- the bundle ---

  /** The socket for a bundle that connects. It opens as soon as there is something to say. @param {string} url @returns {BundleSocket} */
  connect(url) {
    return this.attach(
      (owner) => new BundleSocket(url, { ...owner, onsend: (text) => owner.onsend(withoutPane(JSON.parse(text))) }),
    );
  }

  /**
   * Connects a bundle to what `make` returns; only the one attached last is delivered to.
   *
   * @template {BundleSocket | Receiver} T
   * @param {(owner: {onsend: (command: any) => void, onclosing: () => void}) => T} make
   * @returns {T}
   */
  attach(make) {
    const socket = make({
      onsend: (command) => this.#commands.receive(command),
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
    if (this.view && !view.compare) this.#shared.enter(view.envs[0]);
    if (!this.#panes.isShowing(view)) this.#panes.show(view);
    else if (!answersRegister) this.#panes.deliverAgain();
  }

  /** To be called when other panes have come into view. */
  look() {
    if (this.#panes.isLate) this.#frames.schedule();
  }

  /** To be called when the session's state has changed. */
  update() {
    this.#open();
    const { welcome, state } = this.#session;
    if (!welcome || !this.#welcome || welcome === this.#welcome) return;
    if (welcome.server !== this.#welcome.server) {
      const { at, awayMs } = state.lastReturn ?? { at: this.#time.now(), awayMs: 0 };
      this.#panes.meetServer(at - awayMs);
    }
    if (welcome.readonly !== this.#welcome.readonly) this.#register(welcome.readonly);
    this.#welcome = welcome;
  }

  #open() {
    const { welcome } = this.#session;
    if (this.#socket?.readyState !== 0 || !welcome || !this.#shared.envs) return;
    this.#welcome = welcome;
    this.#socket.open();
    this.#register(welcome.readonly);
    this.#shared.deliverAll();
    // What the user closed while the bundle was disconnected, it told nobody.
    this.#panes.deliverAgain();
  }

  /** @returns {boolean} whether everything is delivered */
  #flush() {
    if (this.#socket?.readyState !== 1) return true;
    this.#shared.flush();
    return this.#panes.flush();
  }

  /** @param {boolean} readonly */
  #register(readonly) {
    // 0.3.0 lays its panes out anew after a register: those it had then, when it renders next. That must not be with what is
    // delivered afterwards, or a pane that is new is taken away again, and one that was closed comes back. A list of environments
    // makes it render.
    const envList = this.#shared.envs ?? [];
    this.#socket?.deliver({ command: "register", data: `tab-${++this.#registered}`, readonly, envList });
  }

  /**
   * A readonly bundle refuses to remove a pane, whoever wants it, and has no other way. It is told that it may, and that it may not,
   * within one task: nothing is painted and nobody can click in between.
   *
   * @param {() => void} run
   */
  #asWritable(run) {
    const readonly = this.#welcome?.readonly;
    if (readonly) this.#register(false);
    run();
    if (readonly) this.#register(true);
  }
}
