// Hand-written doubles for everything a session takes from the browser.

import { setImmediate } from "node:timers";

/** A clock that stands still until it is told to go on. */
export class FakeTime {
  #now = 1_000_000;
  #shift = 0;
  #alarms = new Map();
  #nextHandle = 1;

  now = () => this.#now + this.#shift;

  setTimeout = (callback, delayMs) => {
    const handle = this.#nextHandle++;
    this.#alarms.set(handle, { at: this.#now + Math.max(0, delayMs), callback });
    return handle;
  };

  clearTimeout = (handle) => {
    this.#alarms.delete(handle);
  };

  get alarms() {
    return this.#alarms.size;
  }

  /** Go on, ringing each alarm at its time. */
  async pass(ms) {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const due = [...this.#alarms].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) {
        break;
      }
      const [handle, { at, callback }] = due;
      this.#alarms.delete(handle);
      this.#now = Math.max(this.#now, at);
      callback();
      await settled();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Somebody sets the wall clock; alarms do not notice. */
  setClock(ms) {
    this.#shift += ms;
  }

  /** The machine sleeps: the wall clock goes on, alarms ring late. */
  async suspendMachine(ms) {
    this.#now += ms;
    await this.pass(0);
  }
}

/** Until every promise that can be settled is. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

export class FakePage {
  hidden = false;
  listeners = new Set();

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async say(event) {
    if (event === "hidden" || event === "visible") {
      this.hidden = event === "hidden";
    }
    for (const listener of [...this.listeners]) {
      listener(event);
    }
    await settled();
  }
}

export class FakeStorage {
  items = new Map();
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  setItem(key, value) {
    this.items.set(key, value);
  }
  removeItem(key) {
    this.items.delete(key);
  }
}

/** One socket, seen from the server. */
export class FakeSocket {
  readyState = 0;
  sent = [];
  /** What the client asked for when it closed, or null. */
  closed = null;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    FakeSocket.made.push(this);
  }

  static made = [];

  send(text) {
    if (this.readyState !== 1) {
      throw new Error("not open");
    }
    this.sent.push(JSON.parse(text));
  }

  close(code, reason) {
    this.closed = { code, reason };
    this.readyState = 2;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }

  async say(...messages) {
    for (const message of messages) {
      this.onmessage?.({ data: JSON.stringify(message) });
    }
    await settled();
  }

  async cut(code = 1006, reason = "") {
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code, reason });
    await settled();
  }

  /** Messages of one type, oldest first. */
  told(type) {
    return this.sent.filter((message) => message.type === type);
  }

  last(type) {
    return this.told(type).at(-1);
  }
}

/** The requests of one page, seen from the server; each waits until it is answered. */
export class FakeFetch {
  requests = [];

  fetch = (url, { body, signal, method, cache, redirect }) =>
    new Promise((resolve, reject) => {
      const request = { url, method, cache, redirect, body: JSON.parse(body), ended: false };
      const end = (settle) => (value) => {
        request.ended = true;
        settle(value);
        return settled();
      };
      const respond = (body, { status = 200, headers = {} } = {}) =>
        end(resolve)(new Response(body, { status, headers: { "Content-Type": "application/json", ...headers } }));
      request.reply = (...messages) => respond(JSON.stringify({ messages }));
      request.answer = (body) => respond(JSON.stringify(body));
      /** What something in the server's place answers. */
      request.intrude = respond;
      /** A redirect, as it looks to who does not follow it. */
      request.lead = () => end(resolve)({ type: "opaqueredirect", status: 0, headers: new Headers(), body: null });
      /** Begins a reply, and returns the function that sends a part of it; without a part it ends. */
      request.begin = async () => {
        let sink;
        await respond(new ReadableStream({ start: (controller) => void (sink = controller) }));
        signal.addEventListener("abort", () => sink.error(signal.reason));
        return (part) => {
          if (part === undefined) sink.close();
          else sink.enqueue(typeof part === "string" ? new TextEncoder().encode(part) : new Uint8Array(part));
          return settled();
        };
      };
      request.refuse = (status) => respond("<html>", { status, headers: { "Content-Type": "text/html" } });
      request.fail = () => end(reject)(new TypeError("network"));
      request.signal = signal;
      if (signal.aborted) {
        end(reject)(new DOMException("aborted", "AbortError"));
      }
      signal.addEventListener("abort", () => end(reject)(new DOMException("aborted", "AbortError")));
      this.requests.push(request);
    });

  open(path) {
    return this.requests.filter((request) => !request.ended && request.url.endsWith(path));
  }

  /** The poll that waits for an answer. */
  get poll() {
    return this.open("/transport/poll").at(-1);
  }

  get send() {
    return this.open("/transport/send").at(-1);
  }
}

/** Frames are drawn when the test says so. */
export class FakeScreen {
  waiting = [];

  drawn = (callback) => this.waiting.push(callback);

  async draw() {
    for (const callback of this.waiting.splice(0)) callback();
    await settled();
  }
}

/** What a session takes from its browser, which remembers nothing, unless a test says otherwise. */
export function sessionOptions({ net, screen, ...options }) {
  return {
    location: "http://host:8097/env/main",
    WebSocket: FakeSocket,
    fetch: net.fetch,
    page: new FakePage(),
    random: () => 0.5,
    sessionStorage: () => new FakeStorage(),
    localStorage: () => new FakeStorage(),
    drawn: screen.drawn,
    ...options,
  };
}

export const WELCOME = Object.freeze({
  type: "welcome",
  session: "s1",
  secret: "secret1",
  link: "l1",
  resumed: false,
  server: "server1",
  version: "0",
  readonly: false,
  heartbeat_s: 8,
  dead_after_s: 20,
  grace_s: 120,
  poll_wait_s: 10,
});

export function subscribed(
  feed,
  { epoch = "e1", offset = 0, recovered = false, reason = recovered ? "resumed" : "new", header = null } = {},
) {
  return { type: "subscribed", feed, epoch, offset, recovered, reason, header };
}

export function batch(feed, { epoch = "e1", from = -1, to, complete = true, entries = [], keys }) {
  return { type: "batch", feed, epoch, from, to, complete, entries, ...(keys && { keys }) };
}

export function events(feed, { epoch = "e1", from, to, missed = 0, events }) {
  return { type: "batch", feed, epoch, from, to, complete: true, missed, events };
}

/** A session whose server is this test: no links, replicas are filled by hand. */
export class FakeSession {
  welcome = null;
  state = { lastReturn: null };
  feeds = new Map();
  commands = [];
  offline = false;

  subscribe(feed, listener) {
    this.feeds.set(feed, { listener, values: new Map(), order: [], header: null, synced: false });
  }
  unsubscribe(feed) {
    this.feeds.delete(feed);
  }
  replica(feed) {
    return this.feeds.get(feed);
  }
  command(command) {
    return new Promise((resolve) => {
      this.commands.push({ command, reply: (error = null) => resolve({ error, result: null }) });
    });
  }
  goOffline() {
    this.offline = true;
  }
  goOnline() {
    this.offline = false;
  }

  /** `restored` is what the server says of the state it began with, as in the header of a verdict. */
  snapshot(feed, values, reload = undefined, restored = undefined) {
    const replica = this.feeds.get(feed);
    replica.header = (reload || restored) && { reload, restored };
    replica.synced = false;
    replica.listener.onsubscribed?.({ recovered: false, reason: "new", header: replica.header ?? null });
    const removed = replica.order.filter((key) => !(key in values));
    const absent = new Map(removed.map((key) => [key, replica.values.get(key)]));
    replica.values = new Map(Object.entries(values));
    replica.order = Object.keys(values);
    replica.synced = true;
    replica.listener.onchanges({ changed: replica.order, removed, absent, complete: true, snapshot: true });
  }
  set(feed, key, value) {
    const replica = this.feeds.get(feed);
    if (!replica.values.has(key)) replica.order.push(key);
    replica.values.set(key, value);
    replica.listener.onchanges({ changed: [key], removed: [], absent: new Map(), complete: true, snapshot: false });
  }
  remove(feed, key) {
    const replica = this.feeds.get(feed);
    replica.values.delete(key);
    replica.order = replica.order.filter((other) => other !== key);
    replica.listener.onchanges({ changed: [], removed: [key], absent: new Map(), complete: true, snapshot: false });
  }
}
