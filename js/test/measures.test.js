import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** Some of what elements of SVG have. */
class FakeElement {
  static measured = 0;
  constructor(localName, attributes = {}, children = [], textContent = "") {
    this.localName = localName;
    this.attributes = Object.entries(attributes).map(([name, value]) => ({ name, value }));
    this.classList = { contains: (name) => attributes.class === name };
    this.id = attributes.id ?? "";
    this.children = children;
    this.textContent = textContent;
    for (const child of children) child.parentElement = this;
  }
  get firstElementChild() {
    return this.children[0] ?? null;
  }
  get childElementCount() {
    return this.children.length;
  }
  getAttribute(name) {
    return this.attributes.find((each) => each.name === name)?.value ?? null;
  }
  /** The tester is at -1000, and so is its point of reference; a label is as wide as its text is long, around where it is moved. */
  getBoundingClientRect() {
    FakeElement.measured += 1;
    if (this.classList.contains("js-reference-point")) return new FakeRect(-1000, -1000, 1, 1);
    const [right, down] = (this.firstElementChild?.getAttribute("transform") ?? "").match(/-?[\d.]+/g)?.map(Number) ?? [0, 0];
    const width = 10 * (this.firstElementChild?.textContent.length ?? 0);
    return new FakeRect(-1000 + right - width / 2, -1000 + down - 12, width, 12);
  }
}

/** A text of SVG. */
class FakeText extends FakeElement {
  static lengths = 0;
  getComputedTextLength() {
    FakeText.lengths += 1;
    return this.textContent.length;
  }
}

class FakeRect {
  constructor(left, top, width, height) {
    Object.assign(this, { left, top, width, height, right: left + width, bottom: top + height });
  }
}

Object.assign(globalThis, { SVGTextContentElement: FakeText, Element: FakeElement, DOMRect: FakeRect });
const { withTextsMeasuredOnce } = await import("../src/plots/measures.js");

beforeEach(() => {
  FakeElement.measured = 0;
  FakeText.lengths = 0;
});

const text = (content, attributes, children = []) =>
  new FakeText("text", { style: "font-size: 12px", ...attributes }, children, content);
const label = (content, transform) => new FakeElement("g", { class: "xtick" }, [text(content, transform ? { transform } : {})]);

/** What Plotly makes of a label: where its copy is, seen from the point of reference. */
function boxOf(copy) {
  const reference = new FakeElement("path", { class: "js-reference-point" });
  new FakeElement("svg", { id: "js-plotly-tester" }, [reference, copy]);
  const found = copy.getBoundingClientRect();
  const origin = reference.getBoundingClientRect();
  return ["left", "top", "right", "bottom"].map(
    (side) => found[side] - origin[side === "left" || side === "right" ? "left" : "top"],
  );
}

test("the link is measured once, other texts whenever Plotly asks, and all of them as ever afterwards", () => {
  const link = () => text("Edit", { class: "js-plot-link-container" }).getComputedTextLength();
  const tick = () => text("tick").getComputedTextLength();
  assert.deepEqual(
    withTextsMeasuredOnce(() => [link(), link(), tick(), tick()]),
    [4, 4, 4, 4],
  );
  assert.equal(FakeText.lengths, 3);
  link();
  assert.equal(FakeText.lengths, 4);
});

test("a label that has moved is where it would be found", () => {
  const moves = ["translate(100.5,20)", "translate(-7.25, 20)", "translate(0,0)"];
  const wanted = moves.map((move) => boxOf(label("40k", move)));
  FakeElement.measured = 0;
  assert.deepEqual(
    withTextsMeasuredOnce(() => moves.map((move) => boxOf(label("40k", move)))),
    wanted,
  );
  assert.equal(FakeElement.measured, 2);
  withTextsMeasuredOnce(() => boxOf(label("40k", "translate(1,1)")));
  assert.equal(FakeElement.measured, 2);
});

test("labels that look otherwise are measured on their own", () => {
  const move = "translate(5,5)";
  const others = () => [
    label("50k", move),
    new FakeElement("g", { class: "xtick" }, [text("50k", { transform: move, style: "font-size: 20px" })]),
    new FakeElement("g", { class: "ytick" }, [text("50k", { transform: move })]),
  ];
  withTextsMeasuredOnce(() => others().map(boxOf));
  assert.equal(FakeElement.measured, 6);
  withTextsMeasuredOnce(() => others().map(boxOf));
  assert.equal(FakeElement.measured, 6);
});

test("what is turned, holds more than a text, or is elsewhere, is measured each time", () => {
  const tries = () => [
    boxOf(label("60k", "translate(5,5) rotate(90,5,5)")),
    boxOf(label("60k")),
    boxOf(new FakeElement("g", { class: "xtick" }, [text("60k", { transform: "translate(5,5)" }), text("b")])),
    boxOf(new FakeElement("g", { class: "xtick" }, [text("60k", { transform: "translate(5,5)" }, [new FakeElement("tspan")])])),
    label("60k", "translate(5,5)").getBoundingClientRect(),
  ];
  withTextsMeasuredOnce(tries);
  const once = FakeElement.measured;
  assert.equal(once, 9);
  withTextsMeasuredOnce(tries);
  assert.equal(FakeElement.measured, 2 * once);
});

test("the point of reference is itself when nobody has asked for a label, and after drawing", () => {
  withTextsMeasuredOnce(() => boxOf(label("70k", "translate(5,5)")));
  const reference = new FakeElement("path", { class: "js-reference-point" });
  assert.equal(withTextsMeasuredOnce(() => reference.getBoundingClientRect()).left, -1000);
  const copy = label("70k", "translate(5,5)");
  new FakeElement("svg", { id: "js-plotly-tester" }, [copy]);
  FakeElement.measured = 0;
  copy.getBoundingClientRect();
  assert.equal(FakeElement.measured, 1);
});
