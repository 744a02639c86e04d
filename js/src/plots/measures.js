/**
 * Texts of plots are measured once. Plotly asks the browser for each label of an axis that has moved, by half a pixel, say, and for its
 * link with every drawing; and the browser has to lay out, each time, what is about to change again.
 */

import { withMembers } from "./members.js";

/**
 * @typedef {object} Label a copy of the label of an axis, where Plotly measures it
 * @property {string} key what its size depends on
 * @property {number} right how far it has been moved
 * @property {number} down
 *
 * @typedef {{left: number, top: number, width: number, height: number}} Box seen from Plotly's point of reference, if it was not moved
 */

/** Where Plotly measures: copies, and a point that all places are seen from. */
const TESTER = "js-plotly-tester";
const REFERENCE = "js-reference-point";
/** How labels on a straight axis that are not turned are moved. */
const MOVED = /^translate\((-?\d+(?:\.\d+)?),\s*(-?\d+(?:\.\d+)?)\)$/;
/** As many are remembered: Plotly does so with as many. */
const MOST = 10_000;

/** @type {SVGTextContentElement | undefined} */
const texts = globalThis.SVGTextContentElement?.prototype;
/** @type {Element | undefined} */
const elements = globalThis.Element?.prototype;
const measureText = /** @type {() => number} */ (texts?.getComputedTextLength);
const measureBox = /** @type {() => DOMRect} */ (elements?.getBoundingClientRect);

/** How long the link is, by its text. @type {Map<string | null, number>} */
const linkLengths = new Map();
/** @type {Map<string, Box>} */
const boxes = new Map();

/**
 * @template T
 * @param {() => T} run draws a plot
 * @returns {T}
 */
export function withTextsMeasuredOnce(run) {
  return withLinkMeasuredOnce(() => withLabelsMeasuredOnce(run));
}

/** @template T @param {() => T} run @returns {T} */
function withLinkMeasuredOnce(run) {
  if (!texts) return run();
  /** @this {SVGTextContentElement} */
  function getComputedTextLength() {
    if (!this.classList.contains("js-plot-link-container")) return measureText.call(this);
    const text = this.textContent;
    const length = linkLengths.get(text) ?? measureText.call(this);
    linkLengths.set(text, length);
    return length;
  }
  return withMembers(texts, { getComputedTextLength }, run);
}

/** @template T @param {() => T} run @returns {T} */
function withLabelsMeasuredOnce(run) {
  if (!elements) return run();
  /** What was asked for last: Plotly asks for its point of reference after each. @type {{label: Label, found: DOMRect | null} | null} */
  let last = null;
  /** @this {Element} */
  function getBoundingClientRect() {
    const asked = last;
    last = null;
    if (asked && this.classList.contains(REFERENCE)) {
      if (!asked.found) return new DOMRect(0, 0, 0, 0);
      const reference = measureBox.call(this);
      remember(asked.label, asked.found, reference);
      return reference;
    }
    const label = labelOf(this);
    const box = label && boxes.get(label.key);
    if (box) {
      last = { label, found: null };
      return new DOMRect(box.left + label.right, box.top + label.down, box.width, box.height);
    }
    const found = measureBox.call(this);
    if (label) last = { label, found };
    return found;
  }
  return withMembers(elements, { getBoundingClientRect }, run);
}

/** @param {Element} element @returns {Label | null} null for whatever is no label, or has more to it than a place and a text */
function labelOf(element) {
  const text = element.firstElementChild;
  if (element.parentElement?.id !== TESTER || element.localName !== "g") return null;
  if (text?.localName !== "text" || text.firstElementChild || element.childElementCount !== 1) return null;
  const moved = MOVED.exec(text.getAttribute("transform") ?? "");
  if (!moved) return null;
  const key = [...attributes(element), "", ...attributes(text), text.textContent].join("\n");
  return { key, right: Number(moved[1]), down: Number(moved[2]) };
}

/** @param {Element} element */
function* attributes(element) {
  for (const { name, value } of element.attributes) if (name !== "transform") yield `${name}=${value}`;
}

/** @param {Label} label @param {DOMRect} found @param {DOMRect} reference */
function remember({ key, right, down }, { left, top, width, height }, reference) {
  if (boxes.size >= MOST) boxes.clear();
  boxes.set(key, { left: left - reference.left - right, top: top - reference.top - down, width, height });
}
