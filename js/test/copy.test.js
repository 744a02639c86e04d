import assert from "node:assert/strict";
import { test } from "node:test";

import { copyButShareData, copyJson } from "../src/copy.js";

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

test("shares data and nothing else", () => {
  const long = (item) => Array.from({ length: 1_000 }, () => item);
  const value = { x: long(1), names: long("a"), z: [long(null), long(true)], points: long([1, 2]), layout: { range: [0, 1] } };
  const copy = copyButShareData(value);
  assert.deepEqual(copy, value);
  const shared = [copy.x === value.x, copy.names === value.names, copy.z[0] === value.z[0], copy.z[1] === value.z[1]];
  assert.deepEqual(shared, [true, true, true, true]);
  const own = [
    copy.z !== value.z,
    copy.points !== value.points,
    copy.points[999] !== value.points[999],
    copy.layout.range !== value.layout.range,
  ];
  assert.deepEqual(own, [true, true, true, true]);
});

test("one object among the numbers, and the array is no data", () => {
  const value = [...Array.from({ length: 1_000 }, (_, index) => index), { x: 1 }];
  const copy = copyButShareData(value);
  copy.at(-1).x = 2;
  assert.equal(value.at(-1).x, 1);
});

test("data of a command is copied", () => {
  const value = { selected: Array.from({ length: 1_000 }, () => 1) };
  assert.notEqual(copyJson(value).selected, value.selected);
});
