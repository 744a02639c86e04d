/**
 * Makes the colour and text of Visdom's online button true.
 *
 * The bundle always believes it is connected unless the user disconnected it, so its button would stay green during an outage.
 * Its DOM is left alone: an attribute of <html> and a stylesheet do it, for the topbar of 0.2.4 and of 0.3.0 alike.
 */

import { isCutOff } from "./describe.js";

const ATTRIBUTE = "data-visdom-link";
const BUTTON = ".navbar-form > span:last-child > button.btn:last-child";

/** @type {Record<string, [label: string, background: string]>} */
const LOOKS = {
  connecting: ["connecting", "#f0ad4e"],
  waiting: ["reconnecting", "#d9534f"],
  cutoff: ["no source", "#f0ad4e"],
  stopped: ["disconnected", "#d9534f"],
};

/** On a narrow screen Visdom's bar goes on below the panes, and this button with it. */
const NARROW = `@media (max-width: 767px) {
  html[${ATTRIBUTE}] ${BUTTON} {
    position: fixed !important; z-index: 1999;
    left: calc(var(--visdom-seen-left, 0px) + 12px); top: calc(var(--visdom-seen-bottom, 100vh) - 46px);
  }
}`;

const STYLE = Object.entries(LOOKS)
  .map(([phase, [label, colour]]) => {
    const button = `html[${ATTRIBUTE}="${phase}"] ${BUTTON}`;
    // Over Visdom's own word, which keeps its room: a wider button would make the bar wrap.
    return `${button}{background:${colour};border-color:${colour};color:transparent;position:relative}
${button}::after{content:"${label}";position:absolute;inset:0;display:flex;align-items:center;justify-content:center;color:#fff;font-size:10px}`;
  })
  .concat(NARROW)
  .join("\n");

export class Indicator {
  #root;
  #style;

  /** @param {Document} document */
  constructor(document) {
    this.#root = document.documentElement;
    this.#style = document.createElement("style");
    this.#style.textContent = STYLE;
    document.head.append(this.#style);
  }

  /** @param {Pick<import("./describe.js").LinkState, "phase" | "source">} state  of the session */
  show(state) {
    this.#root.setAttribute(ATTRIBUTE, isCutOff(state) ? "cutoff" : state.phase);
  }

  /** Lets the button be as Visdom draws it. */
  remove() {
    this.#root.removeAttribute(ATTRIBUTE);
    this.#style.remove();
  }
}
