import assert from "node:assert/strict";
import { test } from "node:test";

import { Credit } from "../src/drawing/credit.js";

const credit = (drawMs, ...trips) => {
  const made = new Credit();
  for (const ms of drawMs) made.drew(ms);
  for (const ms of trips) made.travelled(ms);
  return made.batches;
};

test("begins with four, until both are known", () => {
  assert.deepEqual([credit([]), credit([50]), credit([], 5)], [4, 4, 4]);
});

test("a page that is near and slow gets little, one that is far away and fast gets much", () => {
  assert.equal(credit([300], 1), 2);
  assert.equal(credit([50], 200), 5);
  assert.equal(credit([20], 200), 11);
  assert.equal(credit([1], 2_000), 16);
});

test("a busy page answers pings late: that is not the way's fault", () => {
  assert.equal(credit([100], 2, 400, 350, 500), 2);
});

test("old round trips are forgotten, all of them with the link", () => {
  const made = new Credit();
  made.drew(50);
  for (const ms of [1, 200, 200, 200, 200, 200]) made.travelled(ms);
  assert.equal(made.batches, 5);
  made.forgetTrips();
  assert.equal(made.batches, 4);
});

test("one slow drawing moves the mean a little", () => {
  const made = new Credit();
  made.drew(20);
  made.drew(120);
  assert.equal(made.drawMs, 40);
});
