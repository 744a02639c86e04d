/**
 * A small note in the corner of the page that says how current the data is: a dot while all is well, words when it is not. A click
 * shows the details.
 */

import { CLOSE } from "../protocol.js";

/**
 * @typedef {Pick<import("../session.js").State, "phase" | "link" | "nextAttemptAt" | "code" | "reason" | "answer" | "lastHeardAt" | "resumed"
 *   | "roundTripMs" | "behindMs" | "behindChanges" | "conflated" | "lastReturn">} LinkState
 * @typedef {{text: string, spoken: string, quiet: boolean}} Said `text` for the eye, `spoken` for a screen reader (without what counts)
 */

export const TEXTS = {
  live: () => "live",
  /** @param {string} age @param {number} changes */
  behind: (age, changes) => `behind by ${age}${changes ? ` (${count(changes, "change")})` : ""}`,
  fallenBehind: () => "behind",
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
  /** @param {string} what */
  answered: (what) => `${what} instead of the server's answer`,
  /** @param {string} what */
  signIn: (what) => `${TEXTS.answered(what)}: reload the page, you may have to sign in`,
  /** @param {string} age */
  age: (age) => `data is ${age} old`,
  /** @param {number} number */
  pending: (number) => (number === 1 ? "1 action waits to be sent" : `${number} actions wait to be sent`),
  restarted: () => "server restarted",
  restored: () => "server restarted: state restored",
  /** @param {number} windows @param {string} since */
  kept: (windows, since) =>
    `the server lost ${count(windows, "window")} (last seen there ${since}): shown until this tab is closed or reloaded`,
  /** @param {string} message */
  refused: (message) => `refused: ${message}`,
  hurry: () => "reconnect now",
  dismiss: () => "take off what the server lost",
};

const DETAILS = {
  connection: "connection",
  roundTrip: "round trip",
  drawing: "drawing",
  conflated: "replaced by newer before sent",
  lastReturn: "last reconnect",
};
const LINKS = { websocket: "WebSocket", poll: "long polling" };

/** Data older than this is called old. */
const STALE_MS = 5_000;
/** A page that has waited longer to draw what it holds is called behind. */
const BEHIND_MS = 2_000;
const NOTICE_MS = 4_000;
/** A first connection that takes no longer needs no words. */
const PATIENCE_MS = 1_000;

/** @param {number} ms */
function formatAge(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/** The day is only said of another one. @param {number} ms @param {number} now */
function formatMoment(ms, now) {
  const moment = new Date(ms);
  return moment.toDateString() === new Date(now).toDateString() ? moment.toLocaleTimeString() : moment.toLocaleString();
}

/** @param {number} number @param {string} thing */
const count = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;

/**
 * What the badge says about a link.
 *
 * @param {LinkState} state
 * @param {number} now  ms since the epoch
 * @param {number} pendingCommands
 * @returns {Said}
 */
export function describe(state, now, pendingCommands = 0) {
  const main = describePhase(state, now);
  if (state.phase === "live") return main;
  const answered = describeAnswer(state);
  const more = answered ? [answered] : [];
  const age = state.lastHeardAt === null ? 0 : now - state.lastHeardAt;
  if (age >= STALE_MS) more.push(TEXTS.age(formatAge(age)));
  if (pendingCommands) more.push(TEXTS.pending(pendingCommands));
  return { ...main, text: [main.text, ...more].join(" · "), spoken: [main.spoken, answered].filter(Boolean).join(". ") };
}

/** What answers in the server's place, if anything. @param {LinkState} state */
function describeAnswer({ phase, answer }) {
  if (!answer || phase === "offline") return "";
  return answer.asksToSignIn ? TEXTS.signIn(answer.what) : TEXTS.answered(answer.what);
}

/** @param {LinkState} state @param {number} now @returns {Said} */
function describePhase(state, now) {
  /** @param {string} text */
  const say = (text, spoken = text) => ({ text, spoken, quiet: false });
  switch (state.phase) {
    case "live":
      if (state.behindMs >= BEHIND_MS) {
        return say(TEXTS.behind(formatAge(state.behindMs), state.behindChanges), TEXTS.fallenBehind());
      }
      return state.link === "poll" ? say(TEXTS.polling()) : { text: TEXTS.live(), spoken: "", quiet: true };
    case "waiting": {
      const seconds = Math.ceil(((state.nextAttemptAt ?? now) - now) / 1000);
      return say(seconds > 0 ? TEXTS.reconnectingIn(seconds) : TEXTS.reconnecting(), TEXTS.reconnecting());
    }
    case "offline":
      return say(TEXTS.offline());
    case "stopped":
      return say(state.code === CLOSE.UNAUTHORIZED ? TEXTS.unauthorized() : TEXTS.stopped(state.reason ?? String(state.code)));
    default:
      return say(state.lastHeardAt === null ? TEXTS.connecting() : TEXTS.reconnecting());
  }
}

/**
 * What the details say: label and text.
 *
 * @param {LinkState} state
 * @param {(ms: number) => string} formatTime
 * @returns {[string, string][]}
 */
export function details(state, formatTime = (ms) => new Date(ms).toLocaleTimeString()) {
  const { link, phase, roundTripMs, behindMs, behindChanges, conflated, lastReturn } = state;
  const back =
    lastReturn &&
    `${formatTime(lastReturn.at)}, after ${formatAge(lastReturn.awayMs)}, ${lastReturn.resumed ? "resumed" : "new session"}`;
  return [
    [DETAILS.connection, phase === "live" && link ? LINKS[link] : "none"],
    [DETAILS.roundTrip, roundTripMs === null ? "not known" : `${Math.round(roundTripMs)} ms`],
    [DETAILS.drawing, behindMs >= BEHIND_MS ? TEXTS.behind(formatAge(behindMs), behindChanges) : "up to date"],
    [DETAILS.conflated, count(conflated, "change")],
    [DETAILS.lastReturn, back ?? "none"],
  ];
}

const STYLE = `
:host { position: fixed; right: 12px; bottom: 12px; z-index: 2000; font: 12px/1.4 system-ui, sans-serif;
  display: flex; flex-direction: column-reverse; align-items: flex-end;
  --ink: #333; --paper: rgba(255, 255, 255, .96); --edge: #bbb; --faint: #666; }
button, .details { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--edge);
  box-shadow: 0 1px 4px rgba(0, 0, 0, .2); cursor: pointer; }
button { padding: 4px 10px; border-radius: 12px; max-width: 60vw; text-align: left; }
button::before { content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 6px; background: #f0ad4e; }
button.stopped::before { background: #d9534f; }
button.quiet::before { background: #5cb85c; }
button.quiet:not(:hover, :focus-visible, [aria-expanded="true"]) { font-size: 0; padding: 2px; box-shadow: none; opacity: .6; }
button.quiet:not(:hover, :focus-visible, [aria-expanded="true"])::before { margin: 0; display: block; }
button:focus-visible { outline: 2px solid #337ab7; outline-offset: 1px; }
.details button::before { content: none; }
.details { padding: 8px 12px; margin-bottom: 6px; border-radius: 8px; text-align: left; cursor: auto; }
.details[hidden] { display: none; }
dl { display: grid; grid-template-columns: auto auto; gap: 2px 12px; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.details button { margin: 6px 6px 0 0; }
.details button[hidden] { display: none; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-color-scheme: dark) { :host { --ink: #eee; --paper: rgba(40, 40, 40, .96); --edge: #666; --faint: #aaa; } }
`;

export class Badge {
  #document;
  #button;
  #details;
  #list;
  #hurry;
  #dismiss;
  #live;
  #now;
  #read;
  #setTimer;
  #clearTimer;
  #pendingCommands;
  #kept;
  /** @type {LinkState | null} */ #state = null;
  #notice = "";
  #noticeUntil = 0;
  #shownAt;
  /** @type {unknown} */ #timer = null;

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {() => LinkState} [options.read]  the state now: some of it changes without being shown
   * @param {() => void} [options.onhurry]  the user wants the next attempt now
   * @param {() => number} [options.pendingCommands]
   * @param {() => {panes: string[], since: number} | null} [options.kept]  panes of windows that the server has lost, and since when
   * @param {() => void} [options.ondismiss]  the user wants to see no more of these
   * @param {() => number} [options.now]  ms since the epoch
   * @param {(run: () => void, ms: number) => unknown} [options.setTimer]
   * @param {(timer: any) => void} [options.clearTimer]
   */
  constructor({ document, read, onhurry, pendingCommands, kept, ondismiss, now, setTimer, clearTimer }) {
    this.#document = document;
    this.#read = read;
    this.#now = now ?? Date.now;
    this.#setTimer = setTimer ?? ((run, ms) => setTimeout(run, ms));
    this.#clearTimer = clearTimer ?? ((timer) => clearTimeout(timer));
    this.#pendingCommands = pendingCommands ?? (() => 0);
    this.#kept = kept ?? (() => null);
    this.#shownAt = this.#now();
    /** @param {string} tag @param {string} [className] */
    const make = (tag, className = "") => Object.assign(document.createElement(tag), { className });
    this.element = make("visdom-link-badge");
    const style = make("style");
    style.textContent = STYLE;
    // A countdown inside the live region would be read out every second.
    this.#live = make("div", "spoken");
    this.#live.setAttribute("role", "status");
    this.#live.setAttribute("aria-live", "polite");
    this.#details = make("div", "details");
    this.#details.id = "details";
    this.#details.hidden = true;
    this.#details.setAttribute("role", "group");
    this.#details.setAttribute("aria-label", "connection to the server");
    this.#list = make("dl");
    this.#hurry = make("button", "hurry");
    this.#hurry.textContent = TEXTS.hurry();
    this.#hurry.addEventListener("click", () => onhurry?.());
    this.#dismiss = make("button", "dismiss");
    this.#dismiss.textContent = TEXTS.dismiss();
    this.#dismiss.addEventListener("click", () => ondismiss?.());
    this.#details.append(this.#list, this.#hurry, this.#dismiss);
    this.#button = make("button", "quiet");
    this.#button.setAttribute("aria-controls", "details");
    this.#button.addEventListener("click", () => this.#open(this.#details.hidden));
    this.element.addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key !== "Escape" || this.#details.hidden) return;
      this.#open(false);
      this.#button.focus();
    });
    // Visdom sends keys and clicks within its page to Python; these are not meant for it.
    for (const type of ["keydown", "keyup", "keypress", "click"])
      this.element.addEventListener(type, (event) => event.stopPropagation());
    this.element.attachShadow({ mode: "open" }).append(style, this.#live, this.#button, this.#details);
    this.#open(false);
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

  /** Says something for a while. @param {string} text @param {number} [ms] */
  notice(text, ms = NOTICE_MS) {
    this.#notice = text;
    this.#noticeUntil = this.#now() + ms;
    this.#render();
  }

  /** To be called when something has changed that it asks for itself. */
  refresh() {
    this.#render();
  }

  /** Takes it off the page. */
  remove() {
    this.#clearTimer(this.#timer);
    this.element.remove();
  }

  /** @param {boolean} open */
  #open(open) {
    this.#details.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    this.#render();
  }

  #render() {
    this.#clearTimer(this.#timer);
    const now = this.#now();
    const notice = now < this.#noticeUntil ? this.#notice : "";
    const patient = this.#state === null || (this.#state.lastHeardAt === null && now - this.#shownAt < PATIENCE_MS);
    if (this.#read && this.#state) this.#state = this.#read();
    const state = this.#state;
    /** @type {Said} */
    const link = state && !patient ? describe(state, now, this.#pendingCommands()) : { text: "", spoken: "", quiet: true };
    const lost = this.#kept();
    const kept = lost ? TEXTS.kept(lost.panes.length, formatMoment(lost.since, now)) : "";
    const quiet = link.quiet && !notice && !kept;
    const text = [notice, kept, link.quiet && !quiet ? "" : link.text].filter(Boolean).join(" · ");
    const spoken = [notice, kept, link.spoken].filter(Boolean).join(". ");
    const className = quiet ? "quiet" : state?.phase === "stopped" || state?.phase === "offline" ? "stopped" : "";
    if (this.#button.textContent !== text) this.#button.textContent = text;
    if (this.#button.className !== className) this.#button.className = className;
    // What has no words on it for the eye needs some for a screen reader.
    this.#button.setAttribute("aria-label", `visdom: ${text || TEXTS.connecting()}`);
    if (this.#live.textContent !== spoken) this.#live.textContent = spoken;
    this.#dismiss.hidden = !kept;
    if (state && !this.#details.hidden) this.#renderDetails(state);
    this.#timer = this.#setTimer(() => this.#render(), 1000 - (now % 1000));
  }

  /** @param {LinkState} state */
  #renderDetails(state) {
    this.#hurry.hidden = state.phase !== "waiting";
    const items = details(state).flatMap(([label, text]) => [
      Object.assign(this.#document.createElement("dt"), { textContent: label }),
      Object.assign(this.#document.createElement("dd"), { textContent: text }),
    ]);
    this.#list.replaceChildren(...items);
  }
}
