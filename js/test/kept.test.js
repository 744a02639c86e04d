// What a server has lost stays in front of whoever is looking at it; what was closed does not.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { envView } from "../src/bundle/requests.js";
import { BundlePage, win } from "./fake-bundle.js";
import { settled } from "./fakes.js";

const MAIN = "env/main";
const LOST = (text) => `${text} (lost)`;

let page;
beforeEach(async () => {
  page = new BundlePage();
  await open();
});

/** Shows windows a, b and c, of a server that keeps its state under this name. */
async function open(state = "s1") {
  await page.open();
  page.session.snapshot(MAIN, { a: win("a", "1"), b: win("b", "1"), c: win("c", "1") }, undefined, { state, age_s: null });
  page.batch();
  page.messages.length = 0;
}

/** The server is started anew, and begins with these windows. */
function restart(windows, restored = { state: "s2", age_s: null }, server = "two") {
  page.restart(server);
  page.session.snapshot(MAIN, windows, {}, restored);
  page.batch();
}

const titles = () => Object.fromEntries([...page.panes].map(([id, { title }]) => [id, title]));
const sent = () => page.session.commands.map(({ command }) => command);

test("what a server has lost stays, with a mark, and the replica does not hold it", () => {
  restart({ b: win("b", "1") });
  assert.deepEqual(titles(), { a: LOST("a"), b: "b", c: LOST("c") });
  assert.deepEqual(page.texts, { a: "1", b: "1", c: "1" });
  assert.deepEqual(page.bundle.kept, { panes: ["a", "c"], since: page.time.now() - 1_000 });
  assert.deepEqual([...page.session.replica(MAIN).values.keys()], ["b"]);
  assert.deepEqual(page.restarts, [{ restored: 1, lost: 2 }]);
  assert.deepEqual(sent(), []);
});

for (const [name, restored] of [
  ["a server that does not say what it has gone on from", undefined],
  ["one that keeps nothing", { state: null, age_s: null }],
  ["one that has gone on from another state", { state: "s2", age_s: 0 }],
  ["one that has gone on from this state, but nobody knows from when", { state: "s1", age_s: null }],
  ["one that has gone on from this state as it was before this page knew the window", { state: "s1", age_s: 100 }],
  ["one that says nonsense", { state: 1, age_s: "0" }],
]) {
  test(`missing on ${name}: kept`, async () => {
    await page.time.pass(50_000);
    restart({}, restored);
    assert.deepEqual(titles(), { a: LOST("a"), b: LOST("b"), c: LOST("c") });
  });
}

test("what is missing of a state that was written after this page knew it has been closed, and goes", async () => {
  await page.time.pass(50_000);
  page.session.set(MAIN, "d", win("d", "1"));
  page.batch();
  await page.time.pass(10_000);
  restart({ a: win("a", "1") }, { state: "s1", age_s: 20 });
  assert.deepEqual(titles(), { a: "a", d: LOST("d") }, "d is younger than what was restored");
});

test("a window that was there before and was made again is as young as that", async () => {
  await page.time.pass(50_000);
  page.session.remove(MAIN, "a");
  page.session.set(MAIN, "a", win("a", "2"));
  page.batch();
  restart({ b: win("b", "1") }, { state: "s1", age_s: 20 });
  assert.deepEqual(titles(), { a: LOST("a"), b: "b" });
});

test("what is missing after a life of the feed has ended, on the same server, was closed", () => {
  page.session.snapshot(MAIN, { a: win("a", "1") }, {}, { state: "s2", age_s: null });
  page.batch();
  assert.deepEqual([titles(), page.bundle.kept], [{ a: "a" }, null]);
});

test("what a person closed while the server was away does not come back", () => {
  page.closeByUser("a");
  restart({});
  assert.deepEqual(Object.keys(titles()), ["b", "c"]);
});

test("a server that was met, and gone before it had told all, is none that the page has been at", () => {
  page.restart("two");
  page.session.feeds.get(MAIN).listener.onsubscribed({ recovered: false, header: { restored: { state: "s3", age_s: null } } });
  restart({}, { state: "s3", age_s: 0 }, "three");
  assert.equal(page.bundle.kept.panes.length, 3);
});

test("windows that the server has again take the place of what was kept", () => {
  restart({});
  page.session.set(MAIN, "a", win("a", "2"));
  page.batch();
  assert.deepEqual(titles(), { a: "a", b: LOST("b"), c: LOST("c") });
  assert.deepEqual(page.texts, { a: "2", b: "1", c: "1" });
  assert.deepEqual(page.bundle.kept.panes, ["b", "c"]);
  page.session.remove(MAIN, "a");
  page.batch();
  assert.deepEqual(Object.keys(titles()), ["b", "c"], "and is closed like any other");
  page.session.set(MAIN, "b", win("b", "1"));
  page.batch();
  assert.deepEqual(titles(), { b: "b", c: LOST("c") }, "with what it had before too");
});

test("a close dismisses a pane on this page alone, and what else a person does to it is not told", () => {
  restart({});
  page.closeByUser("a");
  page.socket.send(JSON.stringify({ cmd: "layout_item_update", eid: "main", win: "b", data: { i: "b" } }));
  page.socket.send(JSON.stringify({ cmd: "forward_to_vis", data: { target: "b", eid: "main", event_type: "Click" } }));
  page.batch();
  assert.deepEqual([sent(), Object.keys(titles()), page.bundle.kept.panes], [[], ["b", "c"], ["b", "c"]]);
  page.session.set(MAIN, "a", win("a", "1"));
  page.batch();
  assert.equal(titles().a, "a", "what comes again is shown again");
});

test("a save does not speak of what was kept", () => {
  restart({ b: win("b", "1") });
  page.socket.send(JSON.stringify({ cmd: "save", eid: "main", prev_eid: "main", data: { a: { x: 1 }, b: { x: 2 } } }));
  assert.deepEqual(sent(), [{ cmd: "save", eid: "main", prev_eid: "main", data: { b: { x: 2 } } }]);
});

for (const readonly of [false, true]) {
  test(`all of it is dismissed at once${readonly ? ", on a readonly page too" : ""}`, async () => {
    page = new BundlePage({ readonly });
    await open();
    restart({ b: win("b", "1") });
    page.bundle.dismissKept();
    page.batch();
    assert.deepEqual([titles(), page.bundle.kept, sent()], [{ b: "b" }, null, []]);
  });
}

test("it is there again after another environment was shown, and when the bundle asks anew", () => {
  restart({ b: win("b", "1") });
  page.panes.clear();
  page.ask(envView("other"));
  page.session.snapshot("env/other", { o: win("o", "1") });
  page.batch();
  assert.deepEqual([titles(), page.bundle.kept], [{ o: "o" }, null]);
  for (let i = 0; i < 2; i++) {
    page.panes.clear();
    page.ask(envView("main"));
    if (i === 0) page.session.snapshot(MAIN, { b: win("b", "1") });
    page.batch();
    assert.deepEqual(titles(), { b: "b", a: LOST("a"), c: LOST("c") });
  }
});

test("an environment that is deleted takes along what was kept of it", async () => {
  restart({});
  page.socket.send(JSON.stringify({ cmd: "delete_env", eid: "main", prev_eid: "other" }));
  await settled();
  page.batch();
  assert.deepEqual([page.bundle.kept, sent().length], [null, 1]);
});

test("it outlives further restarts, and grows with what they lose", () => {
  restart({ b: win("b", "1") });
  restart({ b: win("b", "1") }, { state: "s2", age_s: 0 }, "three");
  assert.deepEqual(titles(), { a: LOST("a"), b: "b", c: LOST("c") });
  restart({}, { state: "s4", age_s: 0 }, "four");
  assert.deepEqual(titles(), { a: LOST("a"), b: LOST("b"), c: LOST("c") });
  assert.equal(page.bundle.kept.panes.length, 3);
});

test("what the page never showed is not kept: there is no picture of it", () => {
  page.session.set(MAIN, "d", win("d", "1"));
  restart({});
  assert.deepEqual(page.bundle.kept.panes, ["a", "b", "c"]);
});

test("no more than a thousand panes are kept, the newest", () => {
  for (let life = 2; life < 6; life++) {
    const windows = Array.from({ length: 300 }, (_, i) => win(`${life}-${i}`, "1"));
    page.session.snapshot(MAIN, Object.fromEntries(windows.map((window) => [window.id, window])));
    page.batch();
    restart({}, undefined, `server ${life}`);
  }
  const { panes } = page.bundle.kept;
  assert.deepEqual([panes.length, panes.at(0), panes.at(-1), page.panes.size], [1_000, "2-200", "5-299", 1_000]);
});
