import assert from "node:assert/strict";
import { test } from "node:test";

import { copyJson } from "../src/copy.js";

test("shares nothing that can be changed", () => {
  const value = { list: [1, { x: [null, "text"] }, []], deep: { er: {} } };
  const copy = copyJson(value);
  assert.deepEqual(copy, value);
  copy.list[1].x.push(2);
  copy.list.push(3);
  copy.deep.er.here = true;
  assert.deepEqual(value, { list: [1, { x: [null, "text"] }, []], deep: { er: {} } });
});

test("keeps what is no object as it is", () => {
  for (const value of [null, 0, "", false, undefined]) assert.equal(copyJson(value), value);
});

test("copies a member called __proto__ as a member", () => {
  const copy = copyJson(JSON.parse('{"__proto__": {"evil": true}}'));
  assert.deepEqual(Object.keys(copy), ["__proto__"]);
  assert.equal(copy.evil, undefined);
});
