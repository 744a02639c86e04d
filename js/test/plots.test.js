import assert from "node:assert/strict";
import { test } from "node:test";
import { FakePlotly, PlotsPage } from "./fake-plotly.js";
import { settled } from "./fakes.js";

/** Panes at the tops given, all asked for and told of, and what is near drawn. */
async function opened(tops, options) {
  const page = new PlotsPage(options);
  for (const [id, at] of Object.entries(tops)) {
    page.pane(id, at);
    page.plot(id);
  }
  page.look();
  await page.rest();
  page.drawn;
  return page;
}

test("nothing is drawn before it is known what is in view", async () => {
  const page = new PlotsPage();
  page.pane("a", 0);
  page.plot("a");
  await page.rest();
  assert.deepEqual(page.drawn, []);
  page.look();
  await page.rest();
  assert.deepEqual(page.drawn, [["newPlot", "a", 1]]);
});

test("what is in view comes first, then the nearest, and what is far waits", async () => {
  const page = new PlotsPage();
  for (const [id, at] of [
    ["far", 3_000],
    ["near", 1_100],
    ["nearer", 900],
    ["low", 500],
    ["middle", 300],
  ]) {
    page.pane(id, at);
    page.plot(id);
  }
  page.look();
  await page.rest();
  assert.deepEqual(
    page.drawn.map(([, id]) => id),
    ["middle", "low", "nearer", "near"],
  );
  assert.deepEqual(page.plots.counts, { plots: 5, drawn: 4 });
  assert.deepEqual(
    ["far", "near"].map((id) => page.plots.isNear(id)),
    [false, true],
  );
});

test("what comes near is drawn with the newest data, once", async () => {
  const page = await opened({ a: 0, far: 3_000 });
  for (const y of [2, 3, 4]) page.plot("far", y);
  await page.rest();
  assert.deepEqual(page.drawn, []);
  page.scroll(2_500);
  await page.rest();
  assert.deepEqual(page.drawn, [["newPlot", "far", 4]]);
  assert.ok(page.nears > 0, "the bundle's panes may have come near");
});

test("an update in view is drawn at once, and by react", async () => {
  const page = await opened({ a: 0 });
  page.plot("a", 2);
  assert.deepEqual(page.drawn, [["react", "a", 2]]);
});

test("many updates in view are drawn in slices of 50 ms", async () => {
  const page = await opened({ a: 0, b: 100, c: 200, d: 300, e: 400 });
  page.plotly.costMs = 30;
  for (const id of "abcde") page.plot(id, 2);
  assert.equal(page.drawn.length, 2, "60 ms");
  await settled();
  await page.task();
  assert.equal(page.drawn.length, 2);
  await page.frame();
  assert.equal(page.drawn.length, 1);
  page.plot("a", 3);
  assert.equal(page.drawn.length, 1, "another task has its own time");
});

test("a promise is kept when the plot is drawn, also for those who asked before", async () => {
  const page = await opened({ far: 3_000 });
  const kept = [];
  page.react("far", 2).then((element) => kept.push(element.id));
  page.react("far", 3).then((element) => kept.push(element.id));
  await page.rest();
  assert.deepEqual(kept, []);
  page.scroll(3_000);
  await page.rest();
  assert.deepEqual(kept, ["far", "far"]);
});

test("what waits for the view waits for what is in view or may be, and for nothing else", async () => {
  const page = await opened({ a: 0, far: 3_000 });
  let called = 0;
  page.plot("far", 2);
  page.plots.afterView(() => (called += 1));
  assert.equal(called, 1, "nobody sees that one");
  page.pane("new", 400);
  page.plot("new");
  page.plots.afterView(() => (called += 1));
  await page.rest();
  assert.equal(called, 1);
  page.look();
  await page.rest();
  assert.equal(called, 2);
});

test("a pane that is removed before it is drawn keeps nobody waiting, and is forgotten", async () => {
  const page = await opened({ a: 0, far: 3_000 });
  let called = 0;
  page.pane("new", 400);
  page.plot("new");
  page.plots.afterView(() => (called += 1));
  page.remove("new");
  page.remove("far");
  page.look();
  await page.rest();
  assert.equal(called, 1);
  assert.deepEqual(page.plots.counts, { plots: 1, drawn: 1 });
  assert.deepEqual(page.drawn, []);
});

test("a hidden pane is drawn when it is shown", async () => {
  const page = new PlotsPage();
  page.pane("a", 0).hidden = true;
  page.plot("a");
  page.look();
  await page.rest();
  assert.deepEqual(page.drawn, []);
  page.elements.get("a").hidden = false;
  page.look();
  await page.rest();
  assert.deepEqual(page.drawn, [["newPlot", "a", 1]]);
});

test("a download, or whatever else takes a plot, draws it first", async () => {
  const page = await opened({ far: 3_000 });
  page.plotly.downloadImage(page.elements.get("far"), { format: "svg" });
  assert.deepEqual(page.drawn, [
    ["newPlot", "far", 1],
    ["downloadImage", "far"],
  ]);
  page.plotly.relayout(page.elements.get("far"), {});
  assert.deepEqual(page.drawn, [["relayout", "far"]]);
});

test("printing draws everything", async () => {
  const page = await opened({ a: 0, b: 3_000, c: 6_000 });
  page.plots.drawAll();
  assert.deepEqual(
    page.drawn.map(([, id]) => id),
    ["b", "c"],
  );
});

test("the revision differs each time, and stays out of what the bundle exports", async () => {
  const page = await opened({ a: 0 });
  const element = page.elements.get("a");
  const revisions = [];
  for (const layout of [{}, {}, { datarevision: "3_0" }]) {
    const before = { ...layout };
    page.react("a", 1, layout);
    revisions.push(element._fullLayout.datarevision);
    assert.deepEqual(layout, before);
  }
  assert.equal(new Set(revisions).size, 3);
});

test("an update has the plot measured again, unless its size is told", async () => {
  const page = await opened({ a: 0 });
  const sizes = [];
  for (const layout of [{}, { autosize: false }]) {
    const before = { ...layout };
    page.react("a", 1, layout);
    sizes.push(page.elements.get("a")._fullLayout.autosize);
    assert.deepEqual(layout, before);
  }
  assert.deepEqual(sizes, [true, false]);
});

test("what keeps a camera or a context of its own is made anew, as with stock", async () => {
  const page = await opened({ a: 0 });
  page.plot("a", 2, { type: "surface" });
  assert.deepEqual(page.drawn, [["newPlot", "a", 2]]);
});

test("a zoom while a drawing waits is kept, unless the new layout has a range", async () => {
  const page = await opened({ a: 0 });
  const element = page.elements.get("a");
  const zoomed = { autorange: false, range: [1, 2] };
  const told = { autorange: false, range: [0, 9] };
  Object.assign(element.layout, { xaxis: zoomed, yaxis: { ...zoomed } });
  page.react("a", 1, { yaxis: told });
  assert.equal(element.layout.xaxis, zoomed);
  assert.equal(element.layout.yaxis, told);
});

test("listeners that came before the first drawing are the plot's then", async () => {
  const page = await opened({ far: 3_000 });
  const element = page.elements.get("far");
  const heard = [];
  const [kept, dropped] = [(data) => heard.push(data), () => heard.push("dropped")];
  element.on("plotly_relayout", kept);
  element.on("plotly_relayout", dropped);
  element.removeListener("plotly_relayout", dropped);
  page.scroll(3_000);
  await page.rest();
  page.plotly.emit(element, "plotly_relayout", "moved");
  assert.deepEqual(heard, ["moved"]);
});

test("what is handed to Plotly is prepared right before it is drawn", async () => {
  const page = await opened({ a: 0, far: 3_000 });
  const prepared = [];
  page.plots.prepare = (element, traces, layout) => {
    prepared.push([element.id, traces.length, typeof layout]);
    return traces.map((trace) => ({ ...trace, y: [trace.y[0] * 10] }));
  };
  page.plot("far", 2);
  page.plot("a", 2);
  await page.rest();
  assert.deepEqual(prepared, [["a", 1, "object"]]);
  assert.deepEqual(page.drawn, [["react", "a", 20]]);
});

test("an element is drawn again when it is asked for, with the layout that it has", async () => {
  const page = await opened({ a: 0, far: 3_000 });
  const { layout } = page.elements.get("a");
  page.plots.redraw(page.elements.get("a"));
  page.plots.redraw(page.elements.get("far"));
  page.plots.redraw({ id: "unknown" });
  assert.deepEqual(page.drawn, []);
  await page.rest();
  assert.deepEqual(page.drawn, [["react", "a", 1]]);
  assert.equal(page.elements.get("a").layout, layout);
});

test("a trace that a person hides is hidden in the bundle's own, whatever was drawn for it", async () => {
  const page = await opened({ a: 0 });
  page.plots.prepare = (_, traces) => traces.map((trace) => ({ ...trace }));
  const own = [{ type: "scatter", name: "a", y: [1] }];
  page.plotly.newPlot("a", own, {}, {});
  const element = page.elements.get("a");
  element.data[0].visible = "legendonly";
  page.plotly.emit(element, "plotly_restyle");
  assert.equal(own[0].visible, "legendonly");
});

test("a resize that is none costs nothing", async () => {
  const page = await opened({ a: 0, far: 3_000 });
  const resize = (id) => page.plotly.Plots.resize(page.elements.get(id));
  assert.equal((await resize("far")).id, "far");
  page.measure("a", 400, 300);
  await resize("a");
  assert.deepEqual(page.drawn, []);
  page.measure("a", 500, 300);
  await resize("a");
  assert.deepEqual(page.drawn, [["resize", "a"]]);
});

test("a plot that is resized where nobody sees it is drawn when somebody does", async () => {
  const page = await opened({ a: 0 });
  page.scroll(5_000);
  page.measure("a", 500, 300);
  await page.plotly.Plots.resize(page.elements.get("a"));
  await page.rest();
  assert.deepEqual(page.drawn, []);
  page.scroll(0);
  await page.rest();
  assert.deepEqual(page.drawn, [["react", "a", 1]]);
});

test("what cannot be drawn is refused, and stops nothing else", async () => {
  const page = new PlotsPage();
  for (const id of ["bad", "good"]) page.pane(id, 0);
  const refused = assert.rejects(page.plot("bad", 1, { type: "broken" }), /cannot be drawn/);
  page.plot("good");
  page.look();
  await page.rest();
  await refused;
  assert.deepEqual(page.drawn, [["newPlot", "good", 1]]);
});

test("elements and calls of others are Plotly's", async () => {
  const page = new PlotsPage();
  const other = { id: "other", classList: { contains: () => false } };
  page.plotly.newPlot(other, [{ y: [1] }], {});
  page.plotly.Plots.resize(other);
  assert.deepEqual(page.drawn, [
    ["newPlot", "other", 1],
    ["resize", "other"],
  ]);
});

test("without observers everything is in view, and without Plotly there is nothing to do", async () => {
  const page = new PlotsPage({ observe: null, observeSize: null });
  page.pane("a", 5_000);
  page.plot("a");
  assert.deepEqual(page.drawn, [["newPlot", "a", 1]]);
  const bare = new PlotsPage({ plotly: undefined });
  assert.deepEqual(bare.plots.counts, { plots: 0, drawn: 0 });
  let called = false;
  bare.plots.afterView(() => (called = true));
  assert.ok(called);
});

test("closed, Plotly has its own functions again, and what stays in the page is drawn", async () => {
  const { newPlot, react } = new FakePlotly();
  const page = await opened({ a: 0, far: 3_000, gone: 4_000 });
  assert.notEqual(String(page.plotly.newPlot), String(newPlot));
  page.plots.close();
  page.remove("gone");
  await page.rest();
  assert.deepEqual(page.drawn, [["newPlot", "far", 1]]);
  assert.equal(String(page.plotly.newPlot), String(newPlot));
  assert.equal(String(page.plotly.react), String(react));
});
