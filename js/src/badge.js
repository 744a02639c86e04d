/** A small note in the corner of the page that says how current the data is, when that is not obvious. */

/**
 * @typedef {Pick<import("./session.js").State,
 *   "phase" | "link" | "nextAttemptAt" | "code" | "reason" | "lastHeardAt" | "resumed">} LinkState
 */

export const TEXTS = {
  connecting: () => "connecting",
  reconnecting: () => "reconnecting",
  /** @param {number} seconds */
  reconnectingIn: (seconds) => `reconnecting in ${seconds} s`,
  resumed: () => "resumed",
  reconnected: () => "reconnected",
  polling: () => "polling",
  offline: () => "offline (click the button to reconnect)",
  /** @param {string} reason */
  stopped: (reason) => `disconnected: ${reason}`,
  unauthorized: () => "disconnected: reload the page to log in",
  /** @param {string} age */
  age: (age) => `data is ${age} old`,
  /** @param {number} count */
  pending: (count) => (count === 1 ? "1 action waits to be sent" : `${count} actions wait to be sent`),
  restarted: () => "server restarted",
  restored: () => "server restarted: state restored",
  /** @param {number} count */
  lost: (count) => `server restarted: state lost (${count === 1 ? "1 window" : `${count} windows`})`,
  /** @param {string} message */
  refused: (message) => `refused: ${message}`,
};

/** Data older than this is called old. */
const STALE_MS = 5_000;
const NOTICE_MS = 4_000;
/** A first connection that takes no longer needs no words. */
const PATIENCE_MS = 1_000;
const UNAUTHORIZED = 4050;

/** @param {number} ms */
function formatAge(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/**
 * What the badge says about a link: `text` for the eye, `spoken` for a screen reader (without what counts),
 * `waiting` while a click may shorten the wait. Empty: nothing worth saying.
 *
 * @param {LinkState} state
 * @param {number} now  ms since the epoch
 * @param {number} pendingCommands
 * @returns {{text: string, spoken: string, waiting: boolean}}
 */
export function describe(state, now, pendingCommands = 0) {
  const main = describePhase(state, now);
  if (!main.text) return { ...main, waiting: false };
  const more = [];
  if (state.phase !== "live") {
    const age = state.lastHeardAt === null ? 0 : now - state.lastHeardAt;
    if (age >= STALE_MS) more.push(TEXTS.age(formatAge(age)));
    if (pendingCommands) more.push(TEXTS.pending(pendingCommands));
  }
  return { text: [main.text, ...more].join(" · "), spoken: main.spoken, waiting: state.phase === "waiting" };
}

/** @param {LinkState} state @param {number} now */
function describePhase(state, now) {
  /** @param {string} text */
  const say = (text, spoken = text) => ({ text, spoken });
  switch (state.phase) {
    case "live":
      return say(state.link === "poll" ? TEXTS.polling() : "");
    case "waiting": {
      const seconds = Math.ceil(((state.nextAttemptAt ?? now) - now) / 1000);
      return say(seconds > 0 ? TEXTS.reconnectingIn(seconds) : TEXTS.reconnecting(), TEXTS.reconnecting());
    }
    case "offline":
      return say(TEXTS.offline());
    case "stopped":
      return say(state.code === UNAUTHORIZED ? TEXTS.unauthorized() : TEXTS.stopped(state.reason ?? String(state.code)));
    default:
      return say(state.lastHeardAt === null ? TEXTS.connecting() : TEXTS.reconnecting());
  }
}

const STYLE = `
:host { position: fixed; right: 12px; bottom: 12px; z-index: 2000; }
button { font: 12px/1.4 system-ui, sans-serif; padding: 4px 10px; border-radius: 12px; max-width: 60vw; text-align: left;
  color: #333; background: rgba(255, 255, 255, .94); border: 1px solid #bbb; box-shadow: 0 1px 4px rgba(0, 0, 0, .2);
  opacity: 1; transition: opacity .4s; cursor: default; }
button.waiting { cursor: pointer; }
button.hidden { opacity: 0; visibility: hidden; transition: opacity .4s, visibility 0s .4s; }
button:focus-visible { outline: 2px solid #337ab7; outline-offset: 1px; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-color-scheme: dark) {
  button { color: #eee; background: rgba(40, 40, 40, .94); border-color: #666; }
}
@media (prefers-reduced-motion: reduce) { button, button.hidden { transition: none; } }
`;

export class Badge {
  #button;
  #live;
  #now;
  #setTimer;
  #clearTimer;
  #pendingCommands;
  /** @type {LinkState | null} */ #state = null;
  #notice = "";
  #noticeUntil = 0;
  #shownAt;
  /** @type {unknown} */ #timer = null;

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {() => void} [options.onhurry]  the user wants the next attempt now
   * @param {() => number} [options.pendingCommands]
   * @param {() => number} [options.now]  ms since the epoch
   * @param {(run: () => void, ms: number) => unknown} [options.setTimer]
   * @param {(timer: any) => void} [options.clearTimer]
   */
  constructor({ document, onhurry, pendingCommands, now, setTimer, clearTimer }) {
    this.#now = now ?? Date.now;
    this.#setTimer = setTimer ?? ((run, ms) => setTimeout(run, ms));
    this.#clearTimer = clearTimer ?? ((timer) => clearTimeout(timer));
    this.#pendingCommands = pendingCommands ?? (() => 0);
    this.#shownAt = this.#now();
    this.element = document.createElement("visdom-link-badge");
    const style = document.createElement("style");
    style.textContent = STYLE;
    // A countdown inside the live region would be read out every second.
    this.#live = document.createElement("div");
    this.#live.className = "spoken";
    this.#live.setAttribute("role", "status");
    this.#live.setAttribute("aria-live", "polite");
    this.#button = document.createElement("button");
    this.#button.type = "button";
    this.#button.className = "hidden";
    this.#button.addEventListener("click", () => {
      if (this.#state?.phase === "waiting") onhurry?.();
    });
    this.element.attachShadow({ mode: "open" }).append(style, this.#live, this.#button);
    document.body.append(this.element);
  }

  /** @param {LinkState} state  of the session */
  show(state) {
    const before = this.#state;
    this.#state = { ...state };
    if (state.phase === "live" && before && before.phase !== "live" && before.lastHeardAt !== null) {
      this.notice(state.resumed ? TEXTS.resumed() : TEXTS.reconnected());
    } else this.#render();
  }

  /** Says something for a few seconds. @param {string} text */
  notice(text) {
    this.#notice = text;
    this.#noticeUntil = this.#now() + NOTICE_MS;
    this.#render();
  }

  #render() {
    this.#clearTimer(this.#timer);
    const now = this.#now();
    const notice = now < this.#noticeUntil ? this.#notice : "";
    const impatient = this.#state?.lastHeardAt !== null || now - this.#shownAt >= PATIENCE_MS;
    const link =
      this.#state && impatient
        ? describe(this.#state, now, this.#pendingCommands())
        : { text: "", spoken: "", waiting: false };
    const text = [notice, link.text].filter(Boolean).join(" · ");
    const spoken = [notice, link.spoken].filter(Boolean).join(". ");
    // What fades out keeps its words.
    if (text) this.#button.textContent = text;
    this.#button.className = text ? (link.waiting ? "waiting" : "") : "hidden";
    if (this.#live.textContent !== spoken) this.#live.textContent = spoken;
    const settled = !notice && this.#state?.phase === "live";
    if (!settled) this.#timer = this.#setTimer(() => this.#render(), 1000 - (now % 1000));
  }
}
