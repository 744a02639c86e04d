import assert from "node:assert/strict";
import { test } from "node:test";

/** A text of SVG. */
class Text {
  static measured = 0;
  constructor(text, className = "") {
    this.textContent = text;
    this.classList = { contains: (name) => name === className };
  }
  getComputedTextLength() {
    Text.measured += 1;
    return this.textContent.length;
  }
}

test("the link is measured once, other texts whenever Plotly asks, and all of them as ever afterwards", async () => {
  globalThis.SVGTextContentElement = Text;
  const { Plotter } = await import("../src/plots/plotly.js");
  delete globalThis.SVGTextContentElement;
  const link = () => new Text("Edit", "js-plot-link-container").getComputedTextLength();
  const seen = [];
  const plotter = new Plotter({
    newPlot: () => seen.push(link(), link(), new Text("tick").getComputedTextLength(), new Text("tick").getComputedTextLength()),
  });
  plotter.draw({}, { data: [], layout: {}, config: {}, isUpdate: false }, []);
  assert.deepEqual(seen, [4, 4, 4, 4]);
  assert.equal(Text.measured, 3);
  link();
  assert.equal(Text.measured, 4);
});
