// What Plotly is handed of lines, and how it is told what happens to them.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { apply } from "../src/feeds/delta.js";
import { Sampler } from "../src/sampling/sampler.js";

const LENGTH = 20_000;
const range = (length, make = (index) => index) => Array.from({ length }, (_, index) => make(index));
const line = (more = {}) => ({ type: "scatter", mode: "lines", x: range(LENGTH), y: range(LENGTH, Math.sin), ...more });

/** An element that Plotly has drawn, or will. */
class Graph extends EventEmitter {
  id = "content";
  clientWidth = 500;
  isConnected = true;
  constructor(axes) {
    super();
    if (axes) this.show(axes);
  }
  show(axes) {
    const drawn = Object.entries(axes).map(([name, axis]) => [name, { type: "linear", _length: 400, range: [-1, 1], ...axis }]);
    this._fullLayout = { width: 500, ...Object.fromEntries(drawn) };
  }
}

function setUp({ isFull = () => false, pixelRatio = 1, axes } = {}) {
  const redrawn = [];
  const sampler = new Sampler({ redraw: (element) => redrawn.push(element), isFull, pixelRatio: () => pixelRatio });
  const element = new Graph(axes);
  const draw = async (traces, layout = {}) => {
    element.data = sampler.prepare(element, traces, layout);
    element.layout = layout;
    await null;
    return element.data;
  };
  return { sampler, element, redrawn, draw };
}

const sampleOf = async (trace, layout, options) => (await setUp(options).draw([trace], layout))[0];
const isSampled = async (trace, layout) => (await sampleOf(trace, layout)) !== trace;

test("a long line is handed as a sample, and stays what it was", async () => {
  const whole = line();
  const before = structuredClone(whole);
  const handed = await sampleOf(whole);
  assert.ok(handed.x.length > 1000 && handed.x.length <= 4 * 501, String(handed.x.length));
  assert.deepEqual(
    handed.y,
    handed.x.map((index) => whole.y[index]),
  );
  assert.deepEqual(whole, before);
  assert.equal(JSON.stringify({ data: [handed] }), JSON.stringify({ data: [whole] }));
});

test("what is not long, or no line, is handed as it is", async () => {
  assert.ok(await isSampled(line()));
  assert.ok(await isSampled(line({ type: undefined, mode: undefined })));
  assert.ok(await isSampled(line({ type: "scattergl" })));
  assert.ok(await isSampled(line({ line: { dash: "solid", shape: "linear", color: "red" }, visible: "legendonly" })));
  for (const more of [
    { y: range(1500), x: range(1500) },
    { type: "bar" },
    { mode: "lines+markers" },
    { mode: "markers" },
    { fill: "tozeroy" },
    { stackgroup: "one" },
    { line: { dash: "dot" } },
    { line: { shape: "hv" } },
    { error_y: { array: range(LENGTH) } },
    { transforms: [{ type: "filter" }] },
    { hovertemplate: "%{pointNumber}" },
    { x: range(LENGTH, (index) => -index) },
    { x: range(LENGTH, (index) => `step ${index}`) },
    { x: range(LENGTH - 1) },
    { y: range(LENGTH, (index) => (index === 7 ? "7" : index)) },
    { y: undefined },
  ])
    assert.ok(!(await isSampled(line(more))), Object.keys(more).join());
  for (const layout of [
    { xaxis: { type: "category" } },
    { yaxis: { type: "category" } },
    { xaxis: { rangebreaks: [{ bounds: ["sat", "mon"] }] } },
  ])
    assert.ok(!(await isSampled(line(), layout)), JSON.stringify(layout));
});

test("detail full: all lines are handed as they are, also one that was a sample before", async () => {
  let full = false;
  const { draw, sampler, element } = setUp({ isFull: (id) => id === "content" && full });
  const whole = line();
  assert.notEqual((await draw([whole]))[0], whole);
  assert.deepEqual(sampler.facts, { plots: 1, points: 10 });
  full = true;
  assert.equal((await draw([whole]))[0], whole);
  assert.equal(sampler.facts, null);
  full = false;
  await draw([whole]);
  element.isConnected = false;
  assert.equal(sampler.facts, null);
});

test("lines without x stand on their index", async () => {
  const whole = line({ x: undefined, x0: 10, dx: 2 });
  const handed = await sampleOf(whole);
  assert.ok(handed.x.length <= 4 * 501);
  assert.deepEqual(
    handed.y,
    handed.x.map((x) => whole.y[(x - 10) / 2]),
  );
});

test("what belongs to a point goes with it, what belongs to all stays", async () => {
  const colorscale = range(LENGTH, () => [0, "red"]);
  const whole = line({
    text: range(LENGTH, String),
    customdata: range(LENGTH, (index) => [index]),
    ids: range(500),
    marker: { color: range(LENGTH), size: 10, colorscale, line: { width: range(LENGTH) } },
    hoverlabel: { font: { size: 3 } },
  });
  const handed = await sampleOf(whole);
  assert.deepEqual(handed.text, handed.x.map(String));
  assert.deepEqual(
    handed.customdata,
    handed.x.map((index) => [index]),
  );
  assert.deepEqual(
    handed.ids,
    handed.x.map((index) => (index < 500 ? index : undefined)),
  );
  assert.deepEqual(handed.marker, { color: handed.x, size: 10, colorscale, line: { width: handed.x } });
  assert.equal(handed.hoverlabel, whole.hoverlabel);
});

test("a logarithmic axis shows the least that is above zero", async () => {
  const y = range(LENGTH, (index) => (index % 3 ? 1 + Math.random() : 0));
  y[777] = 0.001;
  const handed = await sampleOf(line({ y }), { yaxis: { type: "log" } });
  assert.ok(handed.x.includes(777));
  assert.ok(handed.x.every((x, n) => n === 0 || x > handed.x[n - 1]));
  y[778] = null;
  assert.ok(!(await isSampled(line({ y: [...y] }), { yaxis: { type: "log" } })));
});

test("lines of several axes are sampled each by its own; those that disagree what their axis is, are not", async () => {
  const { draw } = setUp();
  const dates = range(LENGTH, (index) => new Date(index * 1e6).toISOString());
  const traces = [line(), line({ xaxis: "x2", yaxis: "y2", x: dates }), line({ x: dates }), line({ xaxis: "x3" })];
  const handed = await draw(traces);
  assert.deepEqual(
    handed.map((trace, index) => trace !== traces[index]),
    [false, true, false, true],
  );
  assert.ok(handed[1].x.every((date) => dates.includes(date)));
});

test("zoomed in, every point in view is drawn, and the ones beside it, however many are appended", async () => {
  const { draw, redrawn, element } = setUp();
  const whole = line();
  await draw([whole]);
  element.show({ xaxis: { range: [0, LENGTH - 1] }, yaxis: {} });
  element.emit("plotly_afterplot");
  assert.deepEqual(redrawn, []);
  element.show({ xaxis: { range: [5000.5, 5100.5] }, yaxis: {} });
  element.emit("plotly_relayout", {});
  element.emit("plotly_afterplot");
  assert.deepEqual(redrawn, [element]);
  const layout = { xaxis: { range: [5000.5, 5100.5], autorange: false } };
  for (let turn = 0; turn < 2; turn++) {
    const [handed] = await draw([whole], layout);
    for (let index = 5000; index <= 5101; index++) assert.ok(handed.x.includes(index), String(index));
    assert.ok(handed.x.length < 102 + 4 * 501);
    for (const extreme of [Math.min(...whole.y), Math.max(...whole.y)]) assert.ok(handed.y.includes(extreme));
    apply(whole, [
      ["extend", ["x"], [LENGTH + turn]],
      ["extend", ["y"], [40 + turn]],
    ]);
  }
  assert.equal(redrawn.length, 1);
  // What was zoomed and has not reached the layout that is asked for.
  element.layout = layout;
  const [handed] = await draw([whole], {});
  assert.ok(handed.x.includes(5050) && handed.x.includes(5051));
});

test("other screens have other columns", async () => {
  const coarse = await sampleOf(line());
  const fine = await sampleOf(line(), {}, { pixelRatio: 2 });
  assert.ok(fine.x.length > 1.5 * coarse.x.length);
});

test("an axis that turns out to be of another type: the lines are drawn whole from then on", async () => {
  const { draw, redrawn, element } = setUp();
  const whole = line();
  assert.notEqual((await draw([whole]))[0], whole);
  element.show({ xaxis: { type: "category", range: [0, LENGTH] }, yaxis: {} });
  element.emit("plotly_afterplot");
  assert.equal(redrawn.length, 1);
  assert.equal((await draw([whole]))[0], whole);
  element.emit("plotly_afterplot");
  assert.equal(redrawn.length, 1);
});

test("Plotly is told of which types axes are that it has drawn, unless there is more on them than lines", async () => {
  const typesOf = async (traces, layout, axes) => {
    await setUp({ axes }).draw(traces, layout);
    return [layout.xaxis?.type, layout.yaxis?.type];
  };
  const axes = { xaxis: {}, yaxis: {} };
  assert.deepEqual(await typesOf([line(), line()], {}, axes), ["linear", "linear"]);
  assert.deepEqual(await typesOf([line()], { xaxis: { type: "-" }, yaxis: { type: "log" } }, axes), ["linear", "log"]);
  assert.deepEqual(await typesOf([line()], {}), [undefined, undefined]);
  assert.deepEqual(await typesOf([line()], {}, { xaxis: { type: "category" }, yaxis: {} }), [undefined, "linear"]);
  assert.deepEqual(await typesOf([line()], { template: {} }, axes), [undefined, undefined]);
  assert.deepEqual(await typesOf([line(), { type: "bar", x: ["a"], y: [1] }], {}, axes), [undefined, undefined]);
});

test("an axis that never shows what it is told does not keep the page busy", async () => {
  const { draw, redrawn, element } = setUp({ axes: { xaxis: { range: [5000, 5001] }, yaxis: {} } });
  const whole = line();
  for (let turn = 0; turn < 20; turn++) {
    await draw([whole], { xaxis: { range: [0, LENGTH], autorange: false } });
    element.emit("plotly_afterplot");
  }
  assert.ok(redrawn.length < 5, String(redrawn.length));
  assert.equal((await draw([whole]))[0], whole);
});

test("events name points of the whole line", async () => {
  const { draw, element } = setUp();
  const [whole, other] = [line(), { type: "bar", y: [1] }];
  await draw([whole, other]);
  const [handed] = element.data;
  const heard = [];
  for (const name of ["plotly_hover", "plotly_click"]) element.on(name, (event) => heard.push(event));
  const points = [
    { curveNumber: 0, pointNumber: 900, pointIndex: 900, x: handed.x[900], data: handed },
    { curveNumber: 1, pointNumber: 0, data: other },
  ];
  // Plotly says what was hovered over again when it is clicked.
  element.emit("plotly_hover", { points });
  element.emit("plotly_click", { points, event: "mouse" });
  for (const event of heard) {
    const [first, second] = event.points;
    assert.equal(first.pointNumber, handed.x[900]);
    assert.equal(first.pointIndex, handed.x[900]);
    assert.equal(first.data, whole);
    assert.equal(first.data.x[first.pointNumber], first.x);
    assert.equal(second, points[1]);
  }
  assert.equal(heard[1].event, "mouse");
  assert.equal(heard.length, 2);
  assert.equal(points[0].pointNumber, 900);
});

test("whoever sends a plot away sends it whole", async () => {
  const { draw, element } = setUp();
  const [whole, other] = [line(), { type: "bar", y: [1] }];
  const handed = await draw([whole, other]);
  element.emit("plotly_beforeexport");
  assert.deepEqual(element.data, [whole, other]);
  element.emit("plotly_afterexport");
  assert.equal(element.data, handed);
});

test("a picture has as many points as it can show, and a person's choices", async () => {
  const { sampler, draw, element } = setUp({ axes: { xaxis: { range: [0, LENGTH - 1] }, yaxis: {} } });
  const whole = line();
  const [handed] = await draw([whole]);
  handed.visible = "legendonly";
  const pictured = (options) => sampler.depict(element, options, () => element.data[0]);
  assert.ok(Math.abs(pictured({}).x.length - handed.x.length) < 10);
  assert.ok(pictured({ format: "png", scale: 3 }).x.length > 2.5 * handed.x.length);
  assert.ok(pictured({ format: "svg" }).x.length > 3 * handed.x.length);
  assert.ok(pictured({ width: 1000 }).x.length > 1.8 * handed.x.length);
  assert.equal(pictured({ scale: 100 }).x, whole.x);
  assert.equal(pictured({}).visible, "legendonly");
  assert.equal(element.data[0], handed);
  assert.equal(
    sampler.depict(new Graph(), {}, () => 7),
    7,
  );
});
