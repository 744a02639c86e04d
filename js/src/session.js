/** A client of the transport: keeps one link to the server alive, and the replicas of the subscribed feeds current. */

import { CommandQueue } from "./command-queue.js";
import { Backoff } from "./connecting/backoff.js";
import { Choice } from "./connecting/choice.js";
import { Connection } from "./connecting/connection.js";
import { Connector } from "./connecting/connector.js";
import { Identity } from "./connecting/identity.js";
import { afterDraw } from "./drawing/after-draw.js";
import { Drawing } from "./drawing/drawing.js";
import { Feeds } from "./feeds/feeds.js";
import { StateReplica } from "./feeds/state-replica.js";
import { linkMaker } from "./links/maker.js";
import { browserPage } from "./page.js";
import { Memo } from "./storage.js";
import { browserTime } from "./time.js";

/**
 * @typedef {import("./protocol.js").Hello} Hello
 * @typedef {import("./protocol.js").Welcome} Welcome
 * @typedef {import("./protocol.js").Reply} Reply
 * @typedef {import("./feeds/feeds.js").FeedListener} FeedListener
 *
 * @typedef {import("./connecting/connector.js").LinkState & import("./drawing/lag.js").Behind} State
 *
 * What a page's bundle needs of a session.
 * @typedef {Pick<Session,
 *   "welcome" | "state" | "subscribe" | "unsubscribe" | "replica" | "command" | "goOffline" | "goOnline">} PageSession
 *
 * @typedef {object} SessionOptions
 * @property {string} [baseUrl] path (or URL) under which the server lives, without a trailing slash
 * @property {"browser" | "source"} [role]
 * @property {boolean} [startWithPolling] long poll only, as the server asked
 * @property {string} [location] what `baseUrl` is relative to
 * @property {new (url: string, protocol: string) => WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {import("./time.js").Time} [time]
 * @property {import("./page.js").Page} [page]
 * @property {() => number} [random]
 * @property {() => import("./storage.js").Storage | undefined} [sessionStorage]
 * @property {() => import("./storage.js").Storage | undefined} [localStorage]
 * @property {() => import("./links/poll-turns.js").Channel | null} [channel] between the tabs of this browser
 * @property {import("./drawing/after-draw.js").Drawn} [drawn]
 * @property {(error: unknown) => void} [onerror]
 * @property {{firstMs?: number, maxMs?: number, minUptimeMs?: number}} [backoff]
 */

export class Session {
  /** Called when the state has changed, beyond `lastHeardAt` and `roundTripMs`. @type {(state: State) => void} */
  onstate = () => {};
  /** Called with errors the server answered, and with what listeners threw. @type {(error: unknown) => void} */
  onerror;

  #role;
  #page;
  #now;
  #identity;
  #commands;
  #feeds;
  #connector;
  #drawing;
  #started = false;
  #stopListening = () => {};

  /** @param {SessionOptions} [options] */
  constructor({
    baseUrl = "",
    role = "browser",
    startWithPolling = false,
    location = globalThis.location?.href,
    WebSocket = globalThis.WebSocket,
    fetch = (...request) => globalThis.fetch(...request),
    time = browserTime,
    page = browserPage,
    random = Math.random,
    sessionStorage = () => globalThis.sessionStorage,
    localStorage = () => globalThis.localStorage,
    channel,
    drawn = afterDraw({ page, time }),
    onerror = (error) => console.error(error),
    backoff = {},
  } = {}) {
    this.onerror = onerror;
    this.#role = role;
    this.#page = page;
    this.#now = time.now;
    this.#identity = new Identity(new Memo(sessionStorage, `visdom-transport:session:${baseUrl}:${role}`));
    this.#commands = new CommandQueue(this.#identity.lastCommand);
    this.#feeds = new Feeds((error) => this.onerror(error));
    this.#drawing = new Drawing({ time, page, drawn, measure: () => this.#connector.liveness.measure() });
    const makeLink = linkMaker({
      url: (path) => new URL(baseUrl + path, location).href,
      role,
      WebSocket,
      fetch,
      time,
      positions: () => this.#feeds.positions({ have: false }),
      random,
      isHidden: () => page.hidden,
      channel,
    });
    this.#connector = new Connector({
      time,
      random,
      choice: new Choice({
        memo: new Memo(localStorage, `visdom-transport:link:${baseUrl}`),
        now: time.now,
        alwaysPoll: startWithPolling,
      }),
      backoff: new Backoff({ random, ...backoff }),
      open: (kind) =>
        new Connection({
          link: makeLink(kind),
          hello: this.#hello(),
          time,
          openedAt: time.now(),
          granted: this.#drawing.grantedByHello(kind),
        }),
      onmessage: (connection, message) => this.#receive(connection, message),
      ondisowned: () => this.#identity.drop(),
      onphase: () => this.#reportState(),
      onerror: (error) => this.onerror(error),
    });
  }

  // --- what a page asks ---

  start() {
    if (!this.#started) {
      this.#started = true;
      this.#stopListening = this.#page.listen((event) => this.#onPage(event));
      this.#connector.connect();
    }
  }

  /** End for good: what is still waiting fails. */
  close() {
    this.#stopListening();
    this.#commands.abandon("the session was closed");
    this.#connector.goOffline();
  }

  /**
   * Follow a feed. Subscribing again only replaces the listener.
   *
   * @param {string} feed
   * @param {FeedListener} listener
   */
  subscribe(feed, listener) {
    if (this.#feeds.add(feed, listener)) {
      this.#send({ type: "subscribe", feed });
    }
  }

  /** Stop following a feed and forget its replica. @param {string} feed */
  unsubscribe(feed) {
    if (this.#feeds.remove(feed)) {
      this.#send({ type: "unsubscribe", feed });
    }
  }

  /**
   * Have the server carry out one of Visdom's commands; kept until it is confirmed.
   *
   * @param {Record<string, any>} command
   * @returns {Promise<Reply>} never rejects
   */
  command(command) {
    const { message, reply } = this.#commands.add(command);
    if (message !== null) {
      this.#identity.keepLastCommand(this.#commands.lastId);
      this.#send(message);
      this.#connector.liveness.asked();
    }
    return reply;
  }

  /** Stay without a link until `goOnline`. */
  goOffline() {
    this.#connector.goOffline();
  }

  goOnline() {
    this.#connector.goOnline();
  }

  /** Do not wait for the next attempt; a link that is live is checked instead. */
  reconnectNow() {
    this.#connector.reconnectNow();
  }

  /**
   * @param {string} feed
   * @returns {StateReplica | undefined} undefined for an event feed, which holds nothing, and for one that is not subscribed to
   */
  replica(feed) {
    const replica = this.#feeds.replica(feed);
    return replica instanceof StateReplica ? replica : undefined;
  }

  get id() {
    return this.#identity.session;
  }

  /** The last welcome. @returns {Welcome | null} */
  get welcome() {
    return this.#connector.welcome;
  }

  get pendingCommands() {
    return this.#commands.size;
  }

  /** @returns {State} */
  get state() {
    return { ...this.#connector.state, ...this.#drawing.behind(this.#connector.current) };
  }

  #reportState() {
    try {
      this.onstate(this.state);
    } catch (error) {
      this.onerror(error);
    }
  }

  // --- receiving ---

  /** @param {Connection} connection @param {any} message */
  #receive(connection, message) {
    const { link } = connection;
    switch (message.type) {
      case "welcome":
        this.#welcomed(connection, message);
        break;
      case "subscribed":
        this.#feeds.onSubscribed(message, { counted: link.kind === "websocket" });
        break;
      case "batch":
        this.#onBatch(connection, message);
        break;
      case "reply":
        this.#commands.settle(message);
        break;
      case "source":
        connection.source = { url: message.url, here: message.here, heardAt: this.#now() - message.heard_s * 1000 };
        this.#reportState();
        break;
      case "ping":
        link.send({ type: "pong" });
        break;
      case "pong":
        this.#drawing.ponged(connection, message, this.#connector.liveness.ponged());
        break;
      case "error":
        if (typeof message.feed === "string") {
          this.#feeds.answered(message.feed, { counted: link.kind === "websocket" });
        }
        this.onerror(message);
        break;
      default:
        // A newer server may say more than we know.
        break;
    }
  }

  /** @param {Connection} connection @param {Welcome} welcome */
  #welcomed(connection, welcome) {
    const { link, hello } = connection;
    if (welcome.session !== this.#identity.session) {
      this.#commands.renumber();
    }
    this.#identity.keep(welcome.session, welcome.secret, this.#commands.lastId);
    this.#drawing.welcomed(connection, welcome);
    this.#feeds.awaitOnly(Object.keys(hello.feeds));
    this.#catchUpWithHello(hello);
    for (const message of this.#commands.messages()) {
      link.send(message);
    }
  }

  /** What changed between the hello and its welcome: subscriptions, and positions when another link still delivered. @param {Hello} hello */
  #catchUpWithHello(hello) {
    const names = new Set(this.#feeds.names());
    for (const feed of Object.keys(hello.feeds)) {
      if (!names.has(feed)) {
        this.#send({ type: "unsubscribe", feed });
      }
    }
    for (const feed of names) {
      const now = this.#feeds.replica(feed)?.position() ?? null;
      const { near, ...then } = hello.feeds[feed] ?? {};
      if (!(feed in hello.feeds) || JSON.stringify(now ?? {}) !== JSON.stringify(then)) {
        this.#send({ type: "subscribe", feed });
      }
    }
  }

  /** @param {Connection} connection @param {any} batch */
  #onBatch(connection, batch) {
    const number = this.#drawing.received(connection, batch);
    const gap = this.#feeds.onBatch(batch);
    if (gap !== null) {
      this.#send({ type: "subscribe", feed: batch.feed });
    }
    // After the listeners have planned their drawing, so that it follows theirs.
    this.#drawing.acknowledgeDrawn(connection, number);
  }

  // --- sending ---

  /** @returns {Hello} */
  #hello() {
    const { session, secret } = this.#identity;
    const window = this.#drawing.credit;
    return { type: "hello", role: this.#role, session, secret, window, compression: ["deflate"], feeds: this.#feeds.positions() };
  }

  /** Send something on the current link, if it is welcomed; if not, the next welcome makes up for it. @param {any} message */
  #send(message) {
    const connection = this.#connector.current;
    if (connection === null || !connection.welcomed) {
      return;
    }
    if (message.type === "subscribe") {
      this.#feeds.await(message.feed);
      message = { ...message, position: this.#feeds.position(message.feed) };
    }
    connection.link.send(message);
  }

  // --- page life ---

  /** @param {import("./page.js").PageEvent} event */
  #onPage(event) {
    switch (event) {
      case "pagehide":
        // An open socket would keep the page out of the back/forward cache. The session outlives it.
        this.#connector.suspend();
        break;
      case "hidden":
        this.#drawing.hidden(this.#connector.current);
        break;
      case "visible":
        this.#drawing.shown(this.#connector.current);
        this.#connector.wake();
        break;
      case "pageshow":
      case "online":
      case "resume":
      case "wake":
        this.#connector.wake();
        break;
      case "offline":
        // Perhaps the server is on this machine: ask it.
        this.#connector.liveness.check();
        break;
      default:
        break;
    }
  }
}
