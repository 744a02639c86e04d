/**
 * A small note in the corner of the page that says how current the data is: a dot while all is well, words when it is not. A click
 * shows the details.
 */

import { describe, details, needsSignIn } from "./describe.js";
import { formatMoment } from "./format.js";
import { STYLE } from "./style.js";
import { TEXTS } from "./texts.js";

/**
 * @typedef {import("./describe.js").LinkState} LinkState
 * @typedef {import("./describe.js").Description} Description
 */

const NOTICE_MS = 4_000;
/** A first connection that takes no longer needs no words. */
const PATIENCE_MS = 1_000;

export class Badge {
  #document;
  #button;
  #details;
  #list;
  #hurry;
  #dismiss;
  #signIn;
  #live;
  #now;
  #read;
  #setTimer;
  #clearTimer;
  #pendingCommands;
  #kept;
  #plots;
  /** @type {LinkState | null} */ #state = null;
  #notice = "";
  #noticeUntil = 0;
  #untilOutage = false;
  #shownAt;
  /** @type {unknown} */ #timer = null;

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {() => LinkState} [options.read]  the state now: some of it changes without being shown
   * @param {() => void} [options.onhurry]  the user wants the next attempt now
   * @param {() => number} [options.pendingCommands]
   * @param {() => {panes: string[], since: number} | null} [options.kept]  panes of windows that the server has lost, and since when
   * @param {() => import("./describe.js").PlotCounts} [options.plots]
   * @param {() => void} [options.ondismiss]  the user wants to see no more of these
   * @param {() => void} [options.onsignin]  the user wants to sign in: loading the page again leads there
   * @param {() => number} [options.now]  ms since the epoch
   * @param {(run: () => void, ms: number) => unknown} [options.setTimer]
   * @param {(timer: any) => void} [options.clearTimer]
   */
  constructor({ document, read, onhurry, pendingCommands, kept, plots, ondismiss, onsignin, now, setTimer, clearTimer }) {
    this.#document = document;
    this.#read = read;
    this.#now = now ?? Date.now;
    this.#setTimer = setTimer ?? ((run, ms) => setTimeout(run, ms));
    this.#clearTimer = clearTimer ?? ((timer) => clearTimeout(timer));
    this.#pendingCommands = pendingCommands ?? (() => 0);
    this.#kept = kept ?? (() => null);
    this.#plots = plots ?? (() => ({ plots: 0, drawn: 0, sampled: null }));
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
    this.#signIn = make("a", "sign-in");
    this.#signIn.textContent = TEXTS.signInAgain();
    // An address, so that it can be opened in another tab as well: this one goes on by itself then.
    this.#signIn.setAttribute("href", document.URL);
    this.#signIn.addEventListener("click", (event) => {
      event.preventDefault();
      onsignin?.();
    });
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
    this.element.attachShadow({ mode: "open" }).append(style, this.#live, this.#button, this.#details, this.#signIn);
    this.#open(false);
    document.body.append(this.element);
  }

  /** @param {LinkState} state  of the session */
  show(state) {
    const before = this.#state;
    this.#state = { ...state };
    if (state.phase === "live" && before && before.phase !== "live" && before.lastHeardAt !== null) {
      this.notice(state.resumed ? TEXTS.resumed() : TEXTS.reconnected(), { untilOutage: true });
    } else {
      if (state.phase !== "live" && this.#untilOutage) this.#noticeUntil = 0;
      this.#render();
    }
  }

  /**
   * Says something for a while.
   *
   * @param {string} text
   * @param {{ms?: number, untilOutage?: boolean}} [how] `untilOutage`: it is old news once the link is gone
   */
  notice(text, { ms = NOTICE_MS, untilOutage = false } = {}) {
    this.#notice = text;
    this.#untilOutage = untilOutage;
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
    /** @type {Description} */
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
    this.#signIn.hidden = !state || patient || !needsSignIn(state);
    if (state && !this.#details.hidden) this.#renderDetails(state);
    this.#timer = this.#setTimer(() => this.#render(), 1000 - (now % 1000));
  }

  /** @param {LinkState} state */
  #renderDetails(state) {
    this.#hurry.hidden = state.phase !== "waiting";
    const items = details(state, this.#plots(), this.#now()).flatMap(([label, text]) => [
      Object.assign(this.#document.createElement("dt"), { textContent: label }),
      Object.assign(this.#document.createElement("dd"), { textContent: text }),
    ]);
    this.#list.replaceChildren(...items);
  }
}
