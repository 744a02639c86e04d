/** The operator's page: a session that follows one feed, and tables of what it holds. */

import { describe } from "../badge/describe.js";
import { describeServer, problems, tables } from "./tables.js";
import { summarise } from "./words.js";

/** @typedef {import("./words.js").Row} Row */

export const FEED = "operator";
const WORST = 10;

export class OperatorPage {
  #document;
  #session;
  #parts;

  /** @param {{document: Document, session: Pick<import("../session.js").Session, "subscribe" | "replica" | "state" | "onstate">}} options */
  constructor({ document, session }) {
    this.#document = document;
    this.#session = session;
    const part = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
    this.#parts = {
      link: part("link"),
      server: part("server"),
      summary: part("summary"),
      problems: part("problems"),
      tables: part("tables"),
    };
    session.onstate = () => this.#showLink();
    session.subscribe(FEED, { onchanges: () => this.#show() });
  }

  #showLink() {
    const { text, quiet } = describe(this.#session.state, Date.now());
    this.#parts.link.textContent = quiet ? "" : text;
  }

  #show() {
    /** @type {Map<string, Row>} */
    const values = this.#session.replica(FEED)?.values ?? new Map();
    this.#showLink();
    this.#parts.server.textContent = describeServer(values.get("server"));
    this.#parts.summary.textContent = summarise(values.get("summary"));
    this.#showProblems(values);
    this.#parts.tables.replaceChildren(...tables(values).flatMap((table) => this.#table(table)));
  }

  /** @param {Map<string, Row>} values */
  #showProblems(values) {
    const found = problems(values);
    const shown = found.slice(0, WORST).map(({ where, note }) => this.#make("li", [this.#make("b", [where]), ` ${note.text}`]));
    if (found.length > WORST) shown.push(this.#make("li", [`and ${found.length - WORST} more, below`]));
    this.#parts.problems.replaceChildren(...(shown.length ? shown : [this.#make("li", ["nothing hurts"], "well")]));
  }

  /** @param {import("./tables.js").Table} table */
  #table({ title, heads, lines }) {
    const head = this.#make(
      "tr",
      heads.map((text) => this.#make("th", [text])),
    );
    const rows = lines.flatMap(({ cells, note }) => {
      const row = this.#make(
        "tr",
        cells.map((text, n) => this.#cell(text, heads[n])),
        note.hurts >= 1 ? "hurts" : "",
      );
      return note.text ? [row, this.#note(note, heads.length)] : [row];
    });
    const body = this.#make("table", [this.#make("thead", [head]), this.#make("tbody", rows)]);
    return [this.#make("h2", [title]), body];
  }

  /** On a phone each cell stands in a line of its own, with its head before it. @param {string} text @param {string} head */
  #cell(text, head) {
    const cell = this.#make("td", [text]);
    cell.setAttribute("data-head", head);
    return cell;
  }

  /** @param {import("./words.js").Note} note @param {number} width */
  #note({ hurts, text }, width) {
    const cell = this.#make("td", [text]);
    cell.setAttribute("colspan", String(width));
    return this.#make("tr", [cell], hurts >= 1 ? "note hurts" : "note");
  }

  /** Text stays text, whatever it says. @param {string} tag @param {(string | Node)[]} children @param {string} [className] */
  #make(tag, children, className = "") {
    const element = this.#document.createElement(tag);
    element.className = className;
    element.append(...children);
    return element;
  }
}
