import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { apply, GapError } from "../src/feeds/delta.js";

const vectors = JSON.parse(readFileSync(new URL("../../tests/vectors/deltas.json", import.meta.url), "utf8"));

for (const vector of vectors) {
  test(`delta: ${vector.name}`, () => {
    const value = structuredCloneOfJson(vector.value);
    if (vector.gap) {
      assert.throws(() => apply(value, vector.operations), GapError);
    } else {
      assert.equal(JSON.stringify(sorted(apply(value, vector.operations))), JSON.stringify(sorted(vector.result)));
    }
  });
}

test("delta: the value is changed in place", () => {
  const x = [1];
  const value = { x };
  assert.equal(
    apply(value, [
      ["extend", ["x"], [2]],
      ["drop", ["x"], 1],
    ]),
    value,
  );
  assert.equal(value.x, x);
  assert.deepEqual(x, [2]);
});

test("delta: items by the hundred thousand", () => {
  const items = Array.from({ length: 300_000 }, (_, index) => index);
  assert.equal(apply([], [["extend", [], items]]).length, items.length);
});

test("delta: no prototype is changed", () => {
  apply({}, [["set", ["__proto__"], { polluted: true }]]);
  assert.throws(() => apply({}, [["set", ["__proto__", "polluted"], true]]), GapError);
  assert.equal(/** @type {any} */ ({}).polluted, undefined);
});

/** Through text, because structuredClone drops members named __proto__. */
function structuredCloneOfJson(value) {
  return JSON.parse(JSON.stringify(value));
}

/** The order of members means nothing. */
function sorted(value) {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  return Object.keys(value)
    .sort()
    .map((key) => [key, sorted(value[key])]);
}
