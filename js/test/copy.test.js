import assert from "node:assert/strict";
import { test } from "node:test";

import { copyButShareData, copyJson } from "../src/copy.js";
import { isData } from "../src/feeds/data.js";
import { apply } from "../src/feeds/delta.js";

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

test("data is data until something else is put into it, and again when that is gone", () => {
  const value = { x: Array(1_000).fill(1) };
  assert.ok(isData(value.x));
  for (const [operation, expected] of [
    [["extend", ["x"], [2, null, "a"]], true],
    [["drop", ["x"], 5], true],
    [["extend", ["x"], [[3]]], false],
    [["extend", ["x"], [4]], false],
    [["drop", ["x"], 999], true],
    [["set", ["x", 0], {}], false],
    [["set", ["x", 0], 7], true],
    [["insert", ["x", 0], {}], false],
    [["delete", ["x", 0]], true],
  ]) {
    apply(value, [operation]);
    assert.equal(isData(value.x), expected, JSON.stringify(operation));
  }
});

test("data is looked at once", () => {
  let reads = 0;
  const x = new Proxy(Array(1_000).fill(1), {
    get(target, name) {
      if (name !== "length") reads += 1;
      return target[name];
    },
  });
  isData(x);
  reads = 0;
  apply({ x }, [["extend", ["x"], [1, 2]]]);
  reads = 0;
  assert.ok(isData(x));
  assert.ok(reads <= 4, String(reads));
});
