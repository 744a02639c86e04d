// Lines at the resolution of the screen: whatever is done to a line, the points that are picked make the picture that all of them make.

import assert from "node:assert/strict";
import { test } from "node:test";
import { apply } from "../src/feeds/delta.js";
import { editsOf } from "../src/feeds/edits.js";
import { Columns } from "../src/sampling/columns.js";
import { Order } from "../src/sampling/order.js";
import { pick } from "../src/sampling/picks.js";
import { Pyramid } from "../src/sampling/pyramid.js";
import { isValue } from "../src/sampling/values.js";
import { always } from "./chance.js";

/** Kept beside an array, or made of it as it is. */
class Kept {
  constructor(x, y) {
    this.x = x;
    this.y = y;
    this.order = new Order(x);
    this.pyramid = new Pyramid(y);
    this.update();
  }
  update() {
    this.order.update(editsOf(this.x));
    this.pyramid.update(editsOf(this.y));
  }
  pick(columns, connectGaps) {
    return pick({ y: this.y, pyramid: this.pyramid, xAt: this.order.at, columns, connectGaps });
  }
}

const fresh = ({ x, y }) => new Kept(x.slice(), y.slice());

/** A line that somebody makes longer, and drops the head of, and changes. */
class Growing {
  constructor(chance) {
    this.chance = chance;
    this.value = { x: [], y: [] };
    this.end = 0;
    this.isLog = chance.below(4) === 0;
    this.gaps = chance.one([0, 0, 0, 0.01, 0.3, 0.9]);
    this.pace = chance.one([() => 1, () => chance.next(), () => (chance.below(20) ? 0.001 : 50), () => chance.below(2)]);
    this.height = chance.one([() => chance.next(), () => chance.below(4), () => (chance.below(300) ? 0 : 9), () => -this.end]);
  }
  point() {
    this.end += this.pace();
    return [this.end, this.chance.next() < this.gaps ? null : this.height()];
  }
  append(count) {
    const points = Array.from({ length: count }, () => this.point());
    this.operate(["extend", ["x"], points.map(([x]) => x)], ["extend", ["y"], points.map(([, y]) => y)]);
  }
  operate(...operations) {
    apply(this.value, operations);
  }
  change() {
    const { chance, value } = this;
    const { length } = value.y;
    const turn = chance.below(8);
    if (turn === 0 && length) {
      const count = chance.below(chance.one([2, 20, length]) + 1);
      this.operate(["drop", ["x"], Math.min(count, length)], ["drop", ["y"], Math.min(count, length)]);
    } else if (turn === 1 && length) {
      this.operate(["set", ["y", chance.below(length)], chance.one([null, 1e3, -1e3])]);
    } else if (turn === 2 && length) {
      const index = chance.below(length);
      this.operate(["delete", ["x", index]], ["delete", ["y", index]]);
    } else {
      this.append(chance.below(chance.one([2, 10, 100, 1000])));
    }
  }
  columns() {
    const { chance, isLog } = this;
    const linear = this.value.x.map((x) => (isLog ? Math.log10(x) : x)).filter((x) => Number.isFinite(x));
    const whole = [linear[0] ?? 0, linear.at(-1) ?? 0];
    const [a, b] = [0, 0].map(() => whole[0] - 1 + chance.next() * (whole[1] - whole[0] + 2)).sort((p, q) => p - q);
    return new Columns({ isLog, whole, view: chance.below(2) ? whole : [a, b], count: chance.one([1, 10, 200]) });
  }
}

/** What a line covers in each column, and which points are connected from one column to the other. */
function pictureOf({ x, y }, indices, columns, connectGaps) {
  const inside = new Map();
  const across = [];
  let before = -1;
  for (const index of indices) {
    if (!isValue(y[index])) {
      if (!connectGaps) before = -1;
      continue;
    }
    if (before >= 0) {
      const column = columns.of(x[index]);
      if (columns.of(x[before]) === column) {
        const ends = [y[before], y[index]].sort((a, b) => a - b);
        inside.set(column, [...(inside.get(column) ?? []), ends]);
      } else across.push([before, index]);
    }
    before = index;
  }
  return { across, inside: new Map([...inside].map(([column, intervals]) => [column, merged(intervals)])) };
}

function merged(intervals) {
  const result = [];
  for (const [low, high] of intervals.sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && low <= last[1]) last[1] = Math.max(last[1], high);
    else result.push([low, high]);
  }
  return result;
}

/** First, last, least and greatest of every column. */
function extremesOf({ x, y }, columns) {
  const found = new Map();
  y.forEach((value, index) => {
    if (!isValue(value)) return;
    const column = columns.of(x[index]);
    const at = found.get(column) ?? { first: index, least: index, greatest: index };
    at.last = index;
    if (value < y[at.least]) at.least = index;
    if (value > y[at.greatest]) at.greatest = index;
    found.set(column, at);
  });
  return [...found.values()].flatMap(({ first, last, least, greatest }) => [first, last, least, greatest]);
}

test("what is picked makes the picture of the whole, is what would be picked from scratch, and has every extreme", () =>
  always(400, (chance) => {
    const line = new Growing(chance);
    const kept = new Kept(line.value.x, line.value.y);
    for (let turn = 0; turn < 12; turn++) {
      line.change();
      kept.update();
      if (chance.below(3)) continue;
      const columns = line.columns();
      const connectGaps = chance.below(2) === 0;
      const picks = kept.pick(columns, connectGaps);
      assert.ok(kept.order.isOrdered);
      assert.deepEqual(picks, fresh(line.value).pick(columns, connectGaps));
      const all = line.value.y.map((_, index) => index);
      assert.deepEqual(pictureOf(line.value, picks, columns, connectGaps), pictureOf(line.value, all, columns, connectGaps));
      const picked = new Set(picks);
      for (const index of extremesOf(line.value, columns)) assert.ok(picked.has(index), `${index} is missing`);
      if (all.length) assert.deepEqual([picks[0], picks.at(-1)], [0, all.length - 1]);
      assert.ok(picks.every((index, n) => n === 0 || index > picks[n - 1]));
      if (!kept.pyramid.hasGaps) {
        const count = new Set(line.value.x.map((x) => columns.of(x))).size;
        assert.ok(picks.length <= 4 * count, `${picks.length} points in ${count} columns`);
      }
    }
  }));

test("a bucket is never looked at again: what is appended costs the same however much there is", () => {
  const reads = { count: 0 };
  const watched = new Proxy([], {
    get(target, name) {
      if (typeof name === "string" && /^\d/.test(name)) reads.count += 1;
      return target[name];
    },
  });
  const pyramid = new Pyramid(watched);
  const perPoint = [100_000, 200_000].map((end) => {
    while (watched.length < end) watched.push(watched.length % 7);
    reads.count = 0;
    pyramid.update(editsOf(watched));
    return reads.count / 100_000;
  });
  assert.ok(perPoint[1] <= perPoint[0] * 1.01 && perPoint[1] < 8, String(perPoint));
});

test("a summary is less than two bytes a point", () => {
  // Just when its arrays have grown.
  const pyramid = new Pyramid(Array.from({ length: 1_100_000 }, (_, index) => index % 1000));
  pyramid.update({ dropped: 0, rewritten: 0 });
  const bytes = pyramid.levels
    .flatMap(({ least, greatest, gaps }) => [least, greatest, gaps])
    .reduce((sum, { items }) => sum + items.byteLength, 0);
  assert.ok(bytes < 2 * 1_100_000, String(bytes));
});

test("a window of a line that goes on for ever needs no more room than twice what it holds", () => {
  const y = [];
  const pyramid = new Pyramid(y);
  const value = { y };
  for (let turn = 0; turn < 300; turn++) {
    apply(value, [["extend", ["y"], Array(1000).fill(turn)]]);
    if (y.length > 10_000) apply(value, [["drop", ["y"], y.length - 10_000]]);
    pyramid.update(editsOf(y));
  }
  const bytes = pyramid.levels
    .flatMap(({ least, greatest, gaps }) => [least, greatest, gaps])
    .reduce((sum, { items }) => sum + items.byteLength, 0);
  assert.ok(bytes < 40_000, String(bytes));
  assert.equal(pyramid.dropped, 290_000);
});

test("order: what stands before another point, or is of another kind, is noticed, and forgotten when it is dropped", () => {
  for (const [x, ordered] of [
    [[1, 2, 2, 3], true],
    [[2, 1, 3], false],
    [[1, null, 3], false],
    [[1, "2", 3], false],
    [[1, "2020-01-01", 3], false],
    [["2020-01-01", "2020-01-01 12:00", "2020-01-02T00:00:01.5Z"], true],
    [["2020-01-02", "2020-01-01"], false],
    [["2020-02-30", "2020-03-01"], false],
    [["2020-02-29", "2020-02-29 24:00"], false],
    [["2020-02-29Z", "2020-03-01Z"], false],
    [["2020-02-29 12:00:60"], false],
    [["2020", "2021"], false],
    [["a", "b"], false],
    [[true, false], false],
    [[], true],
  ]) {
    const order = new Order(x);
    order.update(editsOf(x));
    assert.equal(order.isOrdered, ordered, JSON.stringify(x));
  }
  for (const head of [[5], ["x"], [null], ["2020-01-01"]]) {
    const value = { x: [...head, 1, 2] };
    const order = new Order(value.x);
    order.update(editsOf(value.x));
    assert.equal(order.isOrdered, false);
    apply(value, [["drop", ["x"], 1]]);
    order.update(editsOf(value.x));
    assert.equal(order.isOrdered, true, JSON.stringify(head));
  }
});

test("order: dates are the numbers that Plotly takes them for", () => {
  const x = ["2020-01-01", "2020-01-01 00:00:00.5", "2020-01-01T01:30", "2020-01-01 05:00:00-0700", "2020-01-02"];
  const order = new Order(x);
  order.update(editsOf(x));
  const midnight = Date.UTC(2020, 0, 1);
  assert.deepEqual(
    x.map((_, index) => order.at(index) - midnight),
    [0, 500, 5_400_000, 18_000_000, 86_400_000],
  );
});

test("columns: a sample is enough for what is seen, or it is not", () => {
  const columns = new Columns({ isLog: false, whole: [0, 1000], view: [100, 200], count: 500 });
  assert.ok(columns.suffice([100, 200], 500));
  assert.ok(columns.suffice([100, 200], 400));
  assert.ok(!columns.suffice([100, 200], 1000));
  assert.ok(!columns.suffice([150, 160], 500));
  assert.ok(!columns.suffice([120, 220], 500));
  assert.ok(columns.suffice([0, 1000], 500));
  assert.ok(columns.suffice([-500, 1500], 500));
  assert.ok(new Columns({ isLog: false, whole: [3, 3], view: [3, 3], count: 500 }).suffice([2, 4], 500));
});

test("picking costs what there are columns, not what there are points", () => {
  const COLUMNS = 1_000;
  const costs = [100_000, 1_000_000].map((length) => {
    const y = Array.from({ length }, (_, index) => Math.sin(index * index));
    const kept = new Kept(
      y.map((_, index) => index),
      y,
    );
    const whole = /** @type {[number, number]} */ ([0, length - 1]);
    const columns = new Columns({ isLog: false, whole, view: whole, count: COLUMNS });
    const cost = { columns: 0, reads: 0 };
    const watched = new Proxy(y, {
      get(target, name) {
        cost.reads += 1;
        return target[name];
      },
    });
    const of = (x) => {
      cost.columns += 1;
      return columns.of(x);
    };
    pick({ y: watched, pyramid: kept.pyramid, xAt: kept.order.at, columns: { of }, connectGaps: false });
    return cost;
  });
  for (const cost of costs) assert.ok(cost.columns < 30 * COLUMNS && cost.reads < 60 * COLUMNS, JSON.stringify(costs));
  assert.ok(costs[1].reads < 2 * costs[0].reads, JSON.stringify(costs));
});
