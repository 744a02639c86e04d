import assert from "node:assert/strict";
import { test } from "node:test";

import { isNearViewport } from "../src/bundle/viewport.js";

const page = (plot) => ({ innerHeight: 800, document: { getElementById: (id) => (id === "plot" ? plot : null) } });
const near = (top, bottom) => isNearViewport(page({ getBoundingClientRect: () => ({ top, bottom }) }), "plot");

test("in view, or less than half a screen away", () => {
  assert.deepEqual([near(0, 300), near(1_199, 1_500), near(-700, -399), near(-1_000, 3_000)], [true, true, true, true]);
  assert.deepEqual([near(1_201, 1_500), near(-900, -401)], [false, false]);
});

test("what cannot be found may be in view", () => {
  assert.equal(isNearViewport(page(null), "text"), true);
});
