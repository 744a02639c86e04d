/** Keeps one link to the server alive: opens it, judges its end, waits and tries again, and looks for a better one. */

import { misfit } from "../check.js";
import { CLOSE, isFinal, isFromServer } from "../protocol.js";
import { Alarm } from "../time.js";
import { Liveness } from "./liveness.js";
import { Upgrade } from "./upgrade.js";

/**
 * @typedef {import("./choice.js").LinkKind} LinkKind
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {import("../links/answer.js").Answer} Answer
 * @typedef {import("../protocol.js").Welcome} Welcome
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
 * @property {number} unansweredMs for how long the server has owed a sign of life to who asked for one
 * @property {import("./connection.js").Source | null} source what the server says that it follows
 * @property {boolean} resumed whether the server knew the session when the last link was welcomed
 * @property {number | null} roundTripMs
 * @property {number} tripMs what an answer takes on this link now, also while one is waited for
 * @property {{at: number, awayMs: number, resumed: boolean} | null} lastReturn when a link was welcomed again, how long there had been no
 *   sign of life, and whether the server knew the session
 *
 * @typedef {object} ConnectorOptions
 * @property {import("../time.js").Time} time
 * @property {() => number} random
 * @property {import("./choice.js").Choice} choice
 * @property {import("./backoff.js").Backoff} backoff
 * @property {(kind: LinkKind) => Connection} open a connection that has not sent its hello yet
 * @property {(connection: Connection, message: any) => void} onmessage a message of the current connection, its welcome included
 * @property {() => void} ondisowned the server does not take this tab for the session that it says it is
 * @property {() => void} onphase
 * @property {(error: unknown) => void} onerror
 */

/** How long a link may take to be welcomed. A poll gets longer, so that a slow server is not taken for a blocked path twice. */
const WELCOME_WITHIN_MS = { websocket: 5_000, poll: 10_000 };

export class Connector {
  /** The connection in use. @type {Connection | null} */
  current = null;
  liveness;
  /** The last welcome. @type {Welcome | null} */
  welcome = null;

  #time;
  #choice;
  #backoff;
  #makeConnection;
  #onmessage;
  #ondisowned;
  #onphase;
  #onerror;
  #upgrade;
  #welcomeAlarm;
  #retryAlarm;

  /** @type {Phase} */
  #phase = "connecting";
  #since;
  /** @type {number | null} */
  #nextAttemptAt = null;
  /** @type {{code: number, reason: string} | null} */
  #ended = null;
  /** @type {Answer | null} */
  #answer = null;
  /** @type {LinkState["lastReturn"]} */
  #lastReturn = null;

  /** @param {ConnectorOptions} options */
  constructor({ time, random, choice, backoff, open, onmessage, ondisowned, onphase, onerror }) {
    this.#time = time;
    this.#choice = choice;
    this.#backoff = backoff;
    this.#makeConnection = open;
    this.#onmessage = onmessage;
    this.#ondisowned = ondisowned;
    this.#onphase = onphase;
    this.#onerror = onerror;
    this.#since = time.now();
    this.liveness = new Liveness(time);
    this.#welcomeAlarm = new Alarm(time);
    this.#retryAlarm = new Alarm(time);
    this.#upgrade = new Upgrade({
      time,
      random,
      withinMs: WELCOME_WITHIN_MS.websocket,
      open: () => this.#open("websocket"),
      onfailed: () => this.#onUpgradeFailed(),
    });
  }

  /** @returns {LinkState} */
  get state() {
    return {
      phase: this.#phase,
      link: this.current?.link.kind ?? null,
      attempt: this.#backoff.attempt,
      nextAttemptAt: this.#nextAttemptAt,
      code: this.#ended?.code ?? null,
      reason: this.#ended?.reason ?? null,
      answer: this.#answer,
      since: this.#since,
      lastHeardAt: this.liveness.lastHeardAt,
      unansweredMs: this.liveness.unansweredMs,
      source: this.current?.source ?? null,
      resumed: this.welcome?.resumed ?? false,
      roundTripMs: this.liveness.roundTripMs,
      tripMs: this.liveness.tripMs,
      lastReturn: this.#lastReturn,
    };
  }

  // --- what a page asks ---

  /** @param {LinkKind} [kind] */
  connect(kind = this.#choice.next()) {
    this.#release();
    const connection = this.#open(kind);
    this.current = connection;
    this.#welcomeAlarm.set(WELCOME_WITHIN_MS[kind], () => this.#lost(connection, CLOSE.SILENT, "no welcome"));
    this.#enter("connecting");
    connection.link.open(connection.hello);
  }

  /** Stay without a link until `goOnline`. */
  goOffline() {
    this.#release();
    this.#enter("offline");
  }

  goOnline() {
    if (this.#phase === "offline") {
      this.#backoff.reset();
      this.connect();
    }
  }

  /** Do not wait for the next attempt; a link that is live is checked instead. */
  reconnectNow() {
    if (this.#phase === "live") {
      this.liveness.check();
    } else if (this.#phase === "waiting" || this.#phase === "stopped") {
      this.#backoff.reset();
      this.connect();
    }
  }

  /** The page is put away, perhaps to be shown again. */
  suspend() {
    if (this.#phase !== "offline" && this.#phase !== "stopped") {
      this.#release();
      this.#enter("waiting");
    }
  }

  /** The page or the network is back: alarms may be late, and the link may have died unnoticed. */
  wake() {
    // Somebody may have signed in again, in another tab.
    const signedOut = this.#phase === "stopped" && this.#ended?.code === CLOSE.UNAUTHORIZED;
    if (this.#phase === "waiting" || signedOut) {
      this.connect();
    } else {
      this.liveness.check();
    }
  }

  // --- one link ---

  /** @param {LinkKind} kind @returns {Connection} */
  #open(kind) {
    const connection = this.#makeConnection(kind);
    const { link } = connection;
    // Callbacks of links that were given up may come at any time: only the current one and the one that is tried are listened to.
    link.onmessage = (message) => {
      const wrong = misfit(message);
      if (wrong !== null) {
        // Nothing was taken from it. With another link the server gets another chance, after a while.
        this.#onerror(new Error(`the server sent ${wrong}`));
        link.close(CLOSE.UNREADABLE, "not the protocol");
        link.onclose(CLOSE.LOST, wrong);
        return;
      }
      if (connection === this.current) {
        this.#receive(connection, message);
      } else if (this.#upgrade.isProbe(connection) && message.type === "welcome") {
        this.#upgrade.succeed();
        this.#release();
        this.current = connection;
        connection.climbs = true;
        this.#receive(connection, message);
      }
    };
    link.onalive = () => {
      if (connection === this.current) {
        this.liveness.heard();
      }
    };
    link.onclose = (code, reason, answer) => {
      if (connection === this.current) {
        this.#lost(connection, code, reason, answer);
      } else if (this.#upgrade.isProbe(connection)) {
        this.#upgrade.fail();
      }
    };
    return connection;
  }

  /** @param {Connection} connection @param {any} message */
  #receive(connection, message) {
    this.liveness.heard();
    if (message.type === "welcome") {
      this.#welcomed(connection, message);
    } else {
      this.#onmessage(connection, message);
    }
  }

  /** @param {Connection} connection @param {Welcome} welcome */
  #welcomed(connection, welcome) {
    const now = this.#time.now();
    connection.welcomed = true;
    this.#welcomeAlarm.clear();
    // From a poll to a WebSocket nobody was away.
    const returns = !connection.climbs || welcome.server !== this.welcome?.server;
    this.welcome = welcome;
    this.#ended = this.#answer = null;
    this.#backoff.up(now);
    const { lastHeardAt } = this.liveness;
    if (lastHeardAt !== null && returns) {
      this.#lastReturn = { at: now, awayMs: Math.max(0, now - lastHeardAt), resumed: welcome.resumed };
    }
    this.liveness.watch(connection.link, welcome, () => {
      if (this.current === connection) {
        this.#lost(connection, CLOSE.SILENT, "silent");
      }
    });
    this.#onmessage(connection, welcome);
    if (connection.link.kind === "poll" && this.#choice.upgrades) {
      this.#upgrade.begin();
    }
    this.#enter("live");
  }

  /** No WebSocket gets through: the poll goes on. */
  #onUpgradeFailed() {
    this.#choice.blocked();
    if (this.current === null) {
      // The hello of the one that was tried ended our poll link, but its welcome did not come through.
      this.connect("poll");
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
    this.liveness.stop();
    const connection = this.current;
    this.current = null;
    connection?.link.close();
  }

  // --- its end ---

  /**
   * The current link has ended, or is given up.
   *
   * @param {Connection} connection @param {number} code @param {string} reason @param {Answer | null} [answer]
   */
  #lost(connection, code, reason, answer = null) {
    const now = this.#time.now();
    const { link, welcomed } = connection;
    const heardForMs = welcomed ? (this.liveness.lastHeardAt ?? now) - connection.openedAt : 0;
    this.#detach();
    this.#backoff.down(now);
    this.#ended = { code, reason };
    // A WebSocket cannot tell who refused it: what the last poll met still holds.
    if (link.kind === "poll") this.#answer = answer;
    this.#judgeDelivery(connection, code, heardForMs);

    // The WebSocket that we try ourselves replaces our poll link: the server cannot tell it from another tab.
    const replacedByUs = code === CLOSE.REPLACED && link.kind === "poll" && this.#upgrade.isRecent;
    if ((code === CLOSE.REPLACED && !replacedByUs) || code === CLOSE.WRONG_SECRET) {
      this.#ondisowned();
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
      this.connect();
      return;
    }
    this.#wait((code === CLOSE.LIMIT ? this.#backoff.late() : this.#backoff.next()) + (answer?.retryAfterMs ?? 0));
  }

  /** What the end of a link says about its kind. @param {Connection} connection @param {number} code @param {number} heardForMs */
  #judgeDelivery({ link, welcomed }, code, heardForMs) {
    // A close code of the server's own shows that the path delivers; SILENT may be our own.
    const fromServer = isFromServer(code) && code !== CLOSE.SILENT;
    if (link.kind === "poll") {
      if (!welcomed && !fromServer) {
        this.#choice.pollFailed({ answered: this.#answer !== null });
      }
    } else if (fromServer || heardForMs >= WELCOME_WITHIN_MS.websocket) {
      this.#choice.delivered();
    } else {
      this.#choice.failed({ opened: link.opened, welcomed, silent: code === CLOSE.SILENT });
    }
  }

  /** @param {number} delayMs */
  #wait(delayMs) {
    this.#nextAttemptAt = this.#time.now() + delayMs;
    this.#retryAlarm.set(delayMs, () => this.connect());
    this.#enter("waiting");
  }

  /** @param {Phase} phase */
  #enter(phase) {
    if (phase !== this.#phase) {
      this.#since = this.#time.now();
    }
    this.#phase = phase;
    this.#onphase();
  }
}
