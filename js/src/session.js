import { misfit } from "./check.js";
import { CommandQueue } from "./command-queue.js";
import { Backoff } from "./connecting/backoff.js";
import { Choice } from "./connecting/choice.js";
import { Connection } from "./connecting/connection.js";
import { Heartbeat } from "./connecting/heartbeat.js";
import { Identity } from "./connecting/identity.js";
import { Upgrade } from "./connecting/upgrade.js";
import { afterDraw } from "./drawing/after-draw.js";
import { Lag } from "./drawing/lag.js";
import { Feeds } from "./feeds/feeds.js";
import { StateReplica } from "./feeds/state-replica.js";
import { LongPollLink } from "./links/longpoll.js";
import { WebSocketLink } from "./links/websocket.js";
import { browserPage } from "./page.js";
import { CLOSE, isFinal } from "./protocol.js";
import { Memo } from "./storage.js";
import { Alarm, browserTime } from "./time.js";

/**
 * @typedef {import("./connecting/choice.js").LinkKind} LinkKind
 * @typedef {import("./links/websocket.js").Link} Link
 * @typedef {import("./protocol.js").Hello} Hello
 * @typedef {import("./protocol.js").Welcome} Welcome
 * @typedef {import("./protocol.js").Reply} Reply
 * @typedef {import("./feeds/feeds.js").FeedListener} FeedListener
 * @typedef {import("./links/answer.js").Answer} Answer
 *
 * @typedef {"connecting" | "live" | "waiting" | "offline" | "stopped"} Phase
 * connecting: a link is being opened; live: welcomed; waiting: until the next attempt; offline: a person asked for it;
 * stopped: the server said that trying again is useless
 *
 * @typedef {object} LinkState
 * @property {Phase} phase
 * @property {LinkKind | null} link
 * @property {number} attempt attempts since the last link that proved good
 * @property {number | null} nextAttemptAt milliseconds since 1970, while waiting
 * @property {number | null} code of the last link's end, until one is live again
 * @property {string | null} reason likewise
 * @property {Answer | null} answer what answered in the server's place when it was last asked, until a link is live again
 * @property {number} since when the phase began, milliseconds since 1970
 * @property {number | null} lastHeardAt when the server last gave a sign of life, milliseconds since 1970
 * @property {boolean} resumed whether the server knew the session when the last link was welcomed
 * @property {number | null} roundTripMs
 * @property {{at: number, awayMs: number, resumed: boolean} | null} lastReturn when a link was welcomed again, how long there had been no
 *   sign of life, and whether the server knew the session
 *
 * @typedef {LinkState & import("./drawing/lag.js").Behind} State
 */

/** How long a link may take to be welcomed. A poll gets longer, so that a slow server is not taken for a blocked path twice. */
const WELCOME_WITHIN_MS = { websocket: 5_000, poll: 10_000 };

/** A client of the transport: keeps one link to the server alive, and the replicas of the subscribed feeds current. */
export class Session {
  /** Called when the state has changed, beyond `lastHeardAt` and `roundTripMs`. @type {(state: State) => void} */
  onstate = () => {};
  /** Called with errors the server answered, and with what listeners threw. @type {(error: unknown) => void} */
  onerror;
  /** The last welcome. @type {Welcome | null} */
  welcome = null;

  #role;
  #time;
  #page;
  #drawn;
  #makeLink;
  #identity;
  #outbox;
  #feeds;
  #choice;
  #backoff;
  #lag;

  /** @type {Phase} */
  #phase = "connecting";
  #since;
  /** @type {number | null} */
  #nextAttemptAt = null;
  /** @type {{code: number, reason: string} | null} */
  #ended = null;
  /** @type {Answer | null} */
  #answer = null;
  /** @type {number | null} */
  #lastHeardAt = null;
  /** @type {number | null} */
  #roundTripMs = null;
  /** @type {State["lastReturn"]} */
  #lastReturn = null;

  /** The connection in use. @type {Connection | null} */
  #current = null;
  #upgrade;
  /** @type {Heartbeat | null} */
  #heartbeat = null;
  #welcomeAlarm;
  #retryAlarm;
  #started = false;
  #stopListening = () => {};

  /**
   * @param {object} [options]
   * @param {string} [options.baseUrl] path (or URL) under which the server lives, without a trailing slash
   * @param {"browser" | "source"} [options.role]
   * @param {boolean} [options.startWithPolling] long poll only, as the server asked
   * @param {string} [options.location] what `baseUrl` is relative to
   * @param {new (url: string, protocol: string) => WebSocket} [options.WebSocket]
   * @param {typeof globalThis.fetch} [options.fetch]
   * @param {import("./time.js").Time} [options.time]
   * @param {import("./page.js").Page} [options.page]
   * @param {() => number} [options.random]
   * @param {() => import("./storage.js").Storage | undefined} [options.sessionStorage]
   * @param {() => import("./storage.js").Storage | undefined} [options.localStorage]
   * @param {import("./drawing/after-draw.js").Drawn} [options.drawn]
   * @param {(error: unknown) => void} [options.onerror]
   * @param {{firstMs?: number, maxMs?: number, minUptimeMs?: number}} [options.backoff]
   */
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
    drawn = afterDraw({ page, time }),
    onerror = (error) => console.error(error),
    backoff = {},
  } = {}) {
    /** @param {string} path */
    const url = (path) => new URL(baseUrl + path, location).href;
    this.onerror = onerror;
    this.#role = role;
    this.#time = time;
    this.#page = page;
    this.#drawn = drawn;
    this.#since = time.now();
    this.#lag = new Lag(time);
    this.#identity = new Identity(new Memo(sessionStorage, `visdom-transport:session:${baseUrl}:${role}`));
    this.#outbox = new CommandQueue(this.#identity.lastCommand);
    this.#feeds = new Feeds((error) => this.onerror(error));
    this.#choice = new Choice({
      memo: new Memo(localStorage, `visdom-transport:link:${baseUrl}`),
      now: time.now,
      alwaysPoll: startWithPolling,
    });
    this.#backoff = new Backoff({ random, ...backoff });
    this.#welcomeAlarm = new Alarm(time);
    this.#retryAlarm = new Alarm(time);
    this.#upgrade = new Upgrade({
      time,
      random,
      withinMs: WELCOME_WITHIN_MS.websocket,
      open: () => this.#open("websocket"),
      onfailed: () => this.#onUpgradeFailed(),
    });
    /** @param {LinkKind} kind @returns {Link} */
    this.#makeLink = (kind) => {
      if (kind === "websocket") {
        const socketUrl = url(role === "browser" ? "/socket" : "/vis_socket").replace(/^http/, "ws");
        return new WebSocketLink({ url: socketUrl, WebSocket });
      }
      return new LongPollLink({
        pollUrl: url("/transport/poll"),
        sendUrl: url("/transport/send"),
        fetch,
        time,
        positions: () => this.#feeds.positions({ have: false }),
      });
    };
  }

  // --- what a page asks ---

  start() {
    if (!this.#started) {
      this.#started = true;
      this.#stopListening = this.#page.listen((event) => this.#onPage(event));
      this.#connect();
    }
  }

  /** End for good: what is still waiting fails. */
  close() {
    this.#stopListening();
    this.#release();
    this.#outbox.abandon("the session was closed");
    this.#enter("offline");
  }

  /**
   * Follow a feed. Subscribing again only replaces the listener.
   *
   * @param {string} feed
   * @param {FeedListener} listener
   */
  subscribe(feed, listener) {
    if (this.#feeds.add(feed, listener)) {
      this.#say({ type: "subscribe", feed });
    }
  }

  /** Stop following a feed and forget its replica. @param {string} feed */
  unsubscribe(feed) {
    if (this.#feeds.remove(feed)) {
      this.#say({ type: "unsubscribe", feed });
    }
  }

  /**
   * Have the server carry out one of Visdom's commands; kept until it is confirmed.
   *
   * @param {Record<string, any>} command
   * @returns {Promise<Reply>} never rejects
   */
  command(command) {
    const { message, reply } = this.#outbox.add(command);
    if (message !== null) {
      this.#keepIdentity();
      this.#say(message);
    }
    return reply;
  }

  /** Stay without a link until `goOnline`. */
  goOffline() {
    this.#release();
    this.#enter("offline");
  }

  goOnline() {
    if (this.#phase === "offline") {
      this.#backoff.reset();
      this.#connect();
    }
  }

  /** Do not wait for the next attempt; a link that is live is checked instead. */
  reconnectNow() {
    if (this.#phase === "live") {
      this.#heartbeat?.check();
    } else if (this.#phase === "waiting" || this.#phase === "stopped") {
      this.#backoff.reset();
      this.#connect();
    }
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

  get pendingCommands() {
    return this.#outbox.size;
  }

  /** @returns {State} */
  get state() {
    return {
      phase: this.#phase,
      link: this.#current?.link.kind ?? null,
      attempt: this.#backoff.attempt,
      nextAttemptAt: this.#nextAttemptAt,
      code: this.#ended?.code ?? null,
      reason: this.#ended?.reason ?? null,
      answer: this.#answer,
      since: this.#since,
      lastHeardAt: this.#heartbeat?.lastHeardAt ?? this.#lastHeardAt,
      resumed: this.welcome?.resumed ?? false,
      roundTripMs: this.#heartbeat?.roundTripMs ?? this.#roundTripMs,
      ...this.#lag.behind(this.#current),
      lastReturn: this.#lastReturn,
    };
  }

  // --- connecting ---

  /** @param {LinkKind} [kind] */
  #connect(kind = this.#choice.next()) {
    this.#release();
    const connection = this.#open(kind);
    this.#current = connection;
    this.#welcomeAlarm.set(WELCOME_WITHIN_MS[kind], () => this.#lost(connection, CLOSE.SILENT, "no welcome"));
    this.#enter("connecting");
    connection.link.open(connection.hello);
  }

  /** @param {LinkKind} kind @returns {Connection} */
  #open(kind) {
    const link = this.#makeLink(kind);
    const connection = new Connection({
      link,
      hello: {
        type: "hello",
        role: this.#role,
        session: this.#identity.session,
        secret: this.#identity.secret,
        window: this.#wantedWindow,
        feeds: this.#feeds.positions(),
      },
      openedAt: this.#time.now(),
      // Of a poll's hello the server takes no window.
      granted: kind === "poll" ? this.#lag.window : this.#wantedWindow,
    });
    // Callbacks of links that were given up may come at any time: only the current one and the one that is tried are listened to.
    link.onmessage = (message) => {
      const wrong = misfit(message);
      if (wrong !== null) {
        // Nothing was taken from it. With another link the server gets another chance, after a while.
        this.onerror(new Error(`the server sent ${wrong}`));
        link.close(4900, "not the protocol");
        link.onclose(CLOSE.LOST, wrong);
        return;
      }
      if (connection === this.#current) {
        this.#receive(connection, message);
      } else if (this.#upgrade.isProbe(connection) && message.type === "welcome") {
        this.#upgrade.succeed();
        this.#release();
        this.#current = connection;
        this.#receive(connection, message);
      }
    };
    link.onalive = () => {
      if (connection === this.#current) {
        this.#heartbeat?.heard();
      }
    };
    link.onclose = (code, reason, answer) => {
      if (connection === this.#current) {
        this.#lost(connection, code, reason, answer);
      } else if (this.#upgrade.isProbe(connection)) {
        this.#upgrade.fail();
      }
    };
    return connection;
  }

  /** No WebSocket gets through: the poll goes on. */
  #onUpgradeFailed() {
    this.#choice.blocked();
    if (this.#current === null) {
      // The hello of the one that was tried ended our poll link, but its welcome did not come through.
      this.#connect("poll");
    } else {
      this.#upgrade.goOn();
    }
  }

  /** Let go of every link and alarm. */
  #release() {
    this.#retryAlarm.clear();
    this.#nextAttemptAt = null;
    this.#upgrade.stop();
    this.#detach();
  }

  /** Let go of the current link. */
  #detach() {
    this.#welcomeAlarm.clear();
    if (this.#heartbeat !== null) {
      this.#heartbeat.stop();
      this.#lastHeardAt = this.#heartbeat.lastHeardAt;
      this.#roundTripMs = this.#heartbeat.roundTripMs ?? this.#roundTripMs;
      this.#heartbeat = null;
    }
    const connection = this.#current;
    this.#current = null;
    connection?.link.close();
  }

  /**
   * The current link has ended, or is given up.
   *
   * @param {Connection} connection @param {number} code @param {string} reason @param {Answer | null} [answer]
   */
  #lost(connection, code, reason, answer = null) {
    const now = this.#time.now();
    const { link, welcomed } = connection;
    const heardFor = welcomed ? (this.#heartbeat?.lastHeardAt ?? now) - connection.openedAt : 0;
    this.#detach();
    this.#backoff.down(now);
    this.#ended = { code, reason };
    // A WebSocket cannot tell who refused it: what the last poll met still holds.
    if (link.kind === "poll") this.#answer = answer;
    this.#judgeDelivery(connection, code, heardFor);

    // The WebSocket that we try ourselves replaces our poll link: the server cannot tell it from another tab.
    const replacedByUs = code === CLOSE.REPLACED && link.kind === "poll" && this.#upgrade.isRecent;
    if ((code === CLOSE.REPLACED && !replacedByUs) || code === CLOSE.WRONG_SECRET) {
      this.#identity.drop();
    }
    if (replacedByUs && this.#upgrade.isTrying) {
      // Its welcome, or its failure, decides.
      this.#enter("connecting");
      return;
    }
    this.#upgrade.stop();
    if (isFinal(code)) {
      this.#enter("stopped");
      return;
    }
    const mute = link.kind === "websocket" && !welcomed && link.opened && code === CLOSE.SILENT;
    if (mute || replacedByUs) {
      this.#connect();
      return;
    }
    this.#wait((code === CLOSE.LIMIT ? this.#backoff.late() : this.#backoff.next()) + (answer?.retryAfterMs ?? 0));
  }

  /** @param {Connection} connection @param {number} code @param {number} heardFor milliseconds */
  #judgeDelivery({ link, welcomed }, code, heardFor) {
    // A close code of the server's own shows that the path delivers; SILENT may be our own.
    const told = code >= 4000 && code <= 4099 && code !== CLOSE.SILENT;
    if (link.kind === "poll") {
      if (!welcomed && !told) {
        this.#choice.pollFailed({ answered: this.#answer !== null });
      }
    } else if (told || heardFor >= WELCOME_WITHIN_MS.websocket) {
      this.#choice.delivered();
    } else {
      this.#choice.failed({ opened: link.opened, welcomed, silent: code === CLOSE.SILENT });
    }
  }

  /** @param {number} delayMs */
  #wait(delayMs) {
    this.#nextAttemptAt = this.#time.now() + delayMs;
    this.#retryAlarm.set(delayMs, () => this.#connect());
    this.#enter("waiting");
  }

  /** @param {Phase} phase */
  #enter(phase) {
    if (phase !== this.#phase) {
      this.#since = this.#time.now();
    }
    this.#phase = phase;
    try {
      this.onstate(this.state);
    } catch (error) {
      this.onerror(error);
    }
  }

  // --- receiving ---

  /** @param {Connection} connection @param {any} message */
  #receive(connection, message) {
    this.#heartbeat?.heard();
    switch (message.type) {
      case "welcome":
        this.#welcomed(connection, message);
        break;
      case "subscribed":
        this.#feeds.onSubscribed(message, { counted: connection.link.kind === "websocket" });
        break;
      case "batch":
        this.#onBatch(connection, message);
        break;
      case "reply":
        this.#outbox.settle(message);
        break;
      case "ping":
        connection.link.send({ type: "pong" });
        break;
      case "pong":
        this.#ponged(message);
        break;
      case "error":
        if (typeof message.feed === "string") {
          this.#feeds.answered(message.feed, { counted: connection.link.kind === "websocket" });
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
    const now = this.#time.now();
    connection.welcomed = true;
    this.#welcomeAlarm.clear();
    this.welcome = welcome;
    this.#ended = this.#answer = null;
    this.#backoff.up(now);
    if (welcome.session !== this.#identity.session) {
      this.#outbox.renumber();
    }
    this.#identity.keep(welcome.session, welcome.secret, this.#outbox.lastId);
    const lastHeardAt = this.#heartbeat?.lastHeardAt ?? this.#lastHeardAt;
    if (lastHeardAt !== null) {
      this.#lastReturn = { at: now, awayMs: Math.max(0, now - lastHeardAt), resumed: welcome.resumed };
    }
    this.#heartbeat?.stop();
    this.#heartbeat = this.#watch(link, welcome);
    this.#lag.forgetTrips();
    this.#measure();
    // The page may have been hidden or shown since the hello.
    this.#grant();
    this.#feeds.awaitOnly(Object.keys(hello.feeds));
    this.#catchUpWithHello(hello);
    for (const message of this.#outbox.messages()) {
      link.send(message);
    }
    if (link.kind === "poll" && this.#choice.upgrades) {
      this.#upgrade.begin();
    }
    this.#enter("live");
  }

  /** @param {Link} link @param {Welcome} welcome */
  #watch(link, { heartbeat_s, dead_after_s, poll_wait_s }) {
    // A held poll is silent for as long as it waits, and no reason to ask.
    const interval_s = link.kind === "poll" ? Math.max(heartbeat_s, (poll_wait_s + dead_after_s) / 2) : heartbeat_s;
    return new Heartbeat({
      time: this.#time,
      intervalMs: interval_s * 1000,
      deadAfterMs: dead_after_s * 1000,
      ping: () => link.send({ type: "ping" }),
      dead: () => {
        if (this.#current?.link === link) {
          this.#lost(this.#current, CLOSE.SILENT, "silent");
        }
      },
    });
  }

  /** What changed between the hello and its welcome: subscriptions, and positions when another link still delivered. @param {Hello} hello */
  #catchUpWithHello(hello) {
    const names = new Set(this.#feeds.names());
    for (const feed of Object.keys(hello.feeds)) {
      if (!names.has(feed)) {
        this.#say({ type: "unsubscribe", feed });
      }
    }
    for (const feed of names) {
      const now = this.#feeds.replica(feed)?.position() ?? null;
      if (!(feed in hello.feeds) || JSON.stringify(now) !== JSON.stringify(hello.feeds[feed])) {
        this.#say({ type: "subscribe", feed });
      }
    }
  }

  /** @param {Connection} connection @param {any} batch */
  #onBatch(connection, batch) {
    const number = this.#lag.received(connection, batch);
    const gap = this.#feeds.onBatch(batch);
    if (gap !== null) {
      this.#say({ type: "subscribe", feed: batch.feed });
    }
    if (this.#page.hidden) {
      // Nothing will be drawn, and there is no credit for more.
      connection.acknowledge(number);
    } else {
      // Asked for after the listeners have planned their drawing, so that it follows theirs.
      this.#drawn(() => {
        if (connection.isUndrawn(number)) {
          this.#lag.drew(connection);
          if (this.#lag.isMeasureDue) {
            this.#measure();
          }
          connection.acknowledge(number);
        }
      });
    }
  }

  // --- credit ---

  #measure() {
    this.#lag.measured();
    this.#heartbeat?.measure();
  }

  /** @param {{behind?: number}} pong */
  #ponged(pong) {
    const tripMs = this.#heartbeat?.ponged() ?? null;
    this.#lag.ponged(pong, tripMs);
    if (tripMs !== null) {
      this.#grant();
    }
  }

  /** A hidden page draws nothing, so it takes nothing: the server keeps the newest state for it. */
  get #wantedWindow() {
    return this.#page.hidden ? 0 : this.#lag.window;
  }

  #grant() {
    this.#current?.grant(this.#wantedWindow);
  }

  // --- sending ---

  /** Say something on the current link, if it is welcomed; if not, the next welcome makes up for it. @param {any} message */
  #say(message) {
    const connection = this.#current;
    if (connection === null || !connection.welcomed) {
      return;
    }
    if (message.type === "subscribe") {
      this.#feeds.await(message.feed);
      message = { ...message, position: this.#feeds.replica(message.feed)?.position() ?? null };
    }
    connection.link.send(message);
  }

  #keepIdentity() {
    const { session, secret } = this.#identity;
    if (session !== null && secret !== null) {
      this.#identity.keep(session, secret, this.#outbox.lastId);
    }
  }

  // --- page life ---

  /** @param {import("./page.js").PageEvent} event */
  #onPage(event) {
    switch (event) {
      case "pagehide":
        // An open socket would keep the page out of the back/forward cache. The session outlives it.
        if (this.#phase !== "offline" && this.#phase !== "stopped") {
          this.#release();
          this.#enter("waiting");
        }
        break;
      case "hidden":
        this.#grant();
        if (this.#current?.oldest) {
          this.#current.acknowledge();
        }
        break;
      case "visible":
        this.#grant();
        this.#awake();
        break;
      case "pageshow":
      case "online":
      case "resume":
      case "wake":
        this.#awake();
        break;
      case "offline":
        // Perhaps the server is on this machine: ask it.
        this.#heartbeat?.check();
        break;
      default:
        break;
    }
  }

  /** The page or the network is back: alarms may be late, and the link may have died unnoticed. */
  #awake() {
    if (this.#phase === "waiting") {
      this.#connect();
    } else {
      this.#heartbeat?.check();
    }
  }
}
