// A page with Visdom's bundle in it, of which only the behaviour that matters to ours is there.

import assert from "node:assert/strict";

import { Bundle } from "../src/bundle/adapter.js";
import { envView } from "../src/bundle/requests.js";
import { FakeSession, FakeTime, settled } from "./fakes.js";

/** A page with a bundle that behaves as both versions do where it matters: batches windows, echoes closes, refuses closes if readonly. */
export class BundlePage {
  session = new FakeSession();
  errors = [];
  problems = [];
  restarts = [];
  messages = [];
  panes = new Map();
  #frames = [];
  #draws = [];
  #batch = null;
  #relaid = null;
  /** What the bundle finds in its window. */
  timers = { setTimeout: (run, ms) => assert.fail(`the bundle's timer of ${ms} ms was not taken over`) };
  processed = 0;
  /** Content ids of panes that nobody sees. */
  outOfView = new Set();
  time = new FakeTime();

  constructor({ readonly = false } = {}) {
    this.session.welcome = { readonly, server: "one" };
    this.bundle = new Bundle({
      session: this.session,
      requestFrame: (run) => this.#frames.push(run),
      afterDraw: (callback) => this.#draws.push(callback),
      timers: this.timers,
      isNear: (contentID) => !this.outOfView.has(contentID),
      time: this.time,
      onerror: (error) => this.errors.push(error.code),
      onproblem: (text) => this.problems.push(text),
      onrestarted: (windows) => this.restarts.push(windows),
    });
  }

  async connect() {
    const socket = this.bundle.connect("ws://here/socket");
    socket.onmessage = ({ data }) => this.#handle(JSON.parse(data));
    this.socket = socket;
    await settled();
    return socket;
  }

  /** Connected, showing the environment with these windows. */
  async open(windows = {}, env = "main") {
    this.session.snapshot("shared", { envs: ["main", "other"], layouts: "" });
    await this.connect();
    this.ask(envView(env));
    this.session.snapshot(`env/${env}`, windows);
    this.frame();
    this.batch();
    this.messages.length = 0;
  }

  /** Another server answers, and the one before was heard of a while ago. */
  restart(server = "two", awayMs = 1_000) {
    this.session.welcome = { ...this.session.welcome, server };
    this.session.state = { lastReturn: { at: this.time.now(), awayMs } };
    this.bundle.update();
  }

  ask(view) {
    this.bundle.show(view, this.sid);
  }
  closeByUser(pane, eid = "main") {
    this.panes.delete(pane);
    this.socket.send(JSON.stringify({ cmd: "close", data: pane, eid }));
  }
  /** One animation frame; the bundle is drawing after it. */
  frame() {
    for (const run of this.#frames.splice(0)) run();
  }
  /** What was delivered is on the screen, with the next frame if need be. */
  drawn() {
    if (!this.#draws.length) this.frame();
    for (const callback of this.#draws.splice(0)) callback();
  }
  /** Frames until nothing more is delivered. */
  batch() {
    do {
      this.drawn();
      this.frame();
    } while (this.#draws.length || this.#frames.length);
  }
  #process = () => {
    this.processed += 1;
    this.#render(() => {
      for (const [id, window] of this.#batch) this.panes.set(id, window);
    });
    this.#batch = null;
  };
  /** 0.3.0 puts the panes that it had at a register in the place of whatever has become of them when it next renders. */
  #render(change) {
    change();
    this.panes = this.#relaid ?? this.panes;
    this.#relaid = null;
  }
  get texts() {
    return Object.fromEntries([...this.panes].map(([id, { content }]) => [id, content]));
  }
  get commands() {
    return this.messages.map(({ command, id, data }) => [command, id ?? (command === "close" ? data : "")].join(" ").trim());
  }

  #handle(message) {
    this.messages.push(message);
    if (message.command === "register") {
      this.sid = message.data;
      this.readonly = message.readonly;
      this.#relaid = new Map(this.panes);
      if (message.envList) this.#render(() => {});
      if (this.bundle.view) this.ask(this.bundle.view);
    } else if (message.command === "window") {
      if (!this.#batch) this.timers.setTimeout(this.#process, 100);
      (this.#batch ??= new Map()).set(message.id, message);
    } else if (message.command === "close" && !this.readonly) this.#render(() => this.closeByUser(message.data));
    else if (message.command === "env_update") this.#render(() => {});
  }
}

/** Frozen: whoever changes a replica's value fails. */
export const win = (id, content, contentID = content) =>
  Object.freeze({ command: "window", id, type: "text", title: id, content, contentID });
