import { CLOSE } from "../protocol.js";
import { Alarm } from "../time.js";
import { NotTheServer, readMessages } from "./answer.js";
import { PollTurns } from "./poll-turns.js";

/**
 * @typedef {import("../protocol.js").Position} Position
 * @typedef {import("./websocket.js").Link} Link
 */

/** How much longer than it asked the server to wait a reply may take to begin, and each part of it to arrive, before it is lost. */
const MARGIN_MS = 10_000;

/**
 * A chain of polls that looks like a WebSocket (docs/protocol.md, section 1).
 *
 * The poll is the credit: the next one leaves when everything the last one brought is acknowledged, and presents where the client
 * then stands. So a lost reply costs nothing but time.
 *
 * @implements {Link}
 */
export class LongPollLink {
  /** @type {"poll"} */
  kind = "poll";
  opened = false;
  /** Nobody asks: a poll that ends is acknowledged at once. */
  newestChars = 0;
  /** @type {Link["onmessage"]} */
  onmessage = () => {};
  onalive = () => {};
  /** @type {Link["onclose"]} */
  onclose = () => {};
  #options;
  #ending = new AbortController();
  /** @type {string | null} */
  #link = null;
  /** @type {string | null} */
  #secret = null;
  #waitSeconds = 0;
  /** Ends the poll that is being held, if there is one. @type {AbortController | null} */
  #held = null;
  #sending = false;
  /** Which tabs may have their polls held; while the link is open. @type {PollTurns | null} */
  #turns = null;
  /** Until the next poll, when the server is not to hold it. */
  #pause;
  #pausing = false;
  /** The last poll brought nothing. */
  #idle = false;
  /** @type {any[]} */
  #unsent = [];
  #received = 0;
  #acknowledged = 0;

  /**
   * @param {object} options
   * @param {string} options.pollUrl
   * @param {string} options.sendUrl
   * @param {typeof globalThis.fetch} options.fetch
   * @param {import("../time.js").Time} options.time
   * @param {() => Record<string, Position | null>} options.positions where the client stands now in every feed it is subscribed to
   * @param {() => PollTurns} options.takeTurns joins the polling tabs of this browser
   */
  constructor(options) {
    this.#options = options;
    this.#pause = new Alarm(options.time);
    this.#ending.signal.addEventListener("abort", () => {
      this.#pause.clear();
      this.#turns?.leave();
    });
  }

  /** @param {import("../protocol.js").Hello} hello */
  open(hello) {
    this.#secret = hello.secret;
    // Before the first poll that could be held: the other tabs have answered by then.
    this.#turns = this.#options.takeTurns();
    void this.#poll(hello.feeds, [hello]);
  }

  /** @param {any} message */
  send(message) {
    if (message.type === "subscribe" || message.type === "unsubscribe") {
      // Every poll presents all subscriptions, so a new poll says it all. A poll that is held makes way: its reply, should there be
      // one already, is lost like any other.
      if (this.#held !== null) {
        this.#held.abort();
        this.#held = null;
        queueMicrotask(() => this.#pollNext());
      }
      this.#goOn();
      return;
    }
    this.#unsent.push(message);
    if (!this.#sending) {
      this.#sending = true;
      // Later, so that what is said in one go leaves in one request.
      queueMicrotask(() => void this.#flush());
    }
  }

  /** @param {number} batches */
  acknowledge(batches) {
    this.#acknowledged = batches;
    this.#pollNext();
  }

  close() {
    this.#ending.abort();
  }

  #pollNext() {
    if (this.#pausing || this.#link === null || this.#held !== null || this.#ending.signal.aborted) return;
    if (this.#acknowledged < this.#received) return;
    const pauseMs = this.#turns?.next() ?? 0;
    if (pauseMs === 0) {
      void this.#poll(this.#options.positions(), [], this.#waitSeconds);
    } else if (!this.#idle) {
      void this.#poll(this.#options.positions(), []);
    } else {
      this.#pausing = true;
      this.#pause.set(pauseMs, () => this.#goOn());
    }
  }

  /** Poll now, if there is a pause. */
  #goOn() {
    if (this.#pausing) {
      this.#pause.clear();
      this.#pausing = this.#idle = false;
      this.#pollNext();
    }
  }

  /** @param {Record<string, Position | null>} feeds @param {any[]} messages @param {number} [wait_s] for how long the server holds it */
  async #poll(feeds, messages, wait_s = 0) {
    const held = new AbortController();
    this.#held = held;
    const request = { link: this.#link, secret: this.#secret, wait_s, feeds, messages };
    const reply = await this.#post(this.#options.pollUrl, request, wait_s * 1000 + MARGIN_MS, held);
    if (this.#held !== held) {
      return;
    }
    this.#held = null;
    if (reply !== null) {
      this.#idle = reply.length === 0;
      this.#deliver(reply);
      if (this.#link === null) {
        this.#end(CLOSE.LOST, "the first poll brought no welcome");
      }
      this.#pollNext();
    }
  }

  /** One request at a time, so that commands arrive in order. */
  async #flush() {
    while (this.#unsent.length > 0 && !this.#ending.signal.aborted) {
      const request = { link: this.#link, secret: this.#secret, messages: this.#unsent };
      this.#unsent = [];
      const reply = await this.#post(this.#options.sendUrl, request, MARGIN_MS, new AbortController());
      if (reply !== null) {
        this.#deliver(reply);
      }
    }
    this.#sending = false;
    // What a command has done comes with a poll.
    this.#goOn();
  }

  /** @param {any[]} messages */
  #deliver(messages) {
    this.opened = true;
    this.onalive();
    // Counted first: an acknowledgement that is given at once must not start a poll between two batches of one reply.
    this.#received += messages.filter((message) => message?.type === "batch").length;
    for (const message of messages) {
      if (this.#ending.signal.aborted) {
        return;
      }
      if (message?.type === "welcome") {
        this.#link = message.link;
        this.#secret = message.secret;
        this.#waitSeconds = message.poll_wait_s;
      }
      if (message?.type === "close") {
        this.#end(message.code, message.message ?? message.reason);
      } else {
        this.onmessage(message);
      }
    }
  }

  /**
   * @param {string} url @param {any} request @param {number} timeoutMs @param {AbortController} abort ends this request alone
   * @returns {Promise<any[] | null>} the messages of the reply; null when the request was aborted or the link has ended
   */
  async #post(url, request, timeoutMs, abort) {
    const { fetch, time } = this.#options;
    const { signal } = abort;
    const ending = () => abort.abort();
    this.#ending.signal.addEventListener("abort", ending);
    const timeout = new Alarm(time);
    const lost = () => this.#end(CLOSE.SILENT, "no reply");
    timeout.set(timeoutMs, lost);
    try {
      const reply = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request),
        cache: "no-store",
        credentials: "same-origin",
        redirect: "manual",
        signal,
      });
      const messages = await readMessages(reply, {
        now: time.now,
        onpart: () => {
          timeout.set(MARGIN_MS, lost);
          this.onalive();
        },
      });
      return signal.aborted ? null : messages;
    } catch (error) {
      if (!signal.aborted) {
        const answer = error instanceof NotTheServer ? error.answer : null;
        this.#end(CLOSE.LOST, answer?.what ?? String(error), answer);
      }
      return null;
    } finally {
      this.#ending.signal.removeEventListener("abort", ending);
      timeout.clear();
    }
  }

  /** @param {number} code @param {string} reason @param {import("./answer.js").Answer | null} [answer] */
  #end(code, reason, answer = null) {
    if (!this.#ending.signal.aborted) {
      this.#ending.abort();
      this.onclose(code, reason, answer);
    }
  }
}
