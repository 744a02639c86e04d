import assert from "node:assert/strict";
import { test } from "node:test";

import { envView } from "../src/bundle/requests.js";
import { BundlePage, win } from "./fake-bundle.js";
import { settled } from "./fakes.js";

test("opens once it is welcome and knows the environments, and registers first", async () => {
  const page = new BundlePage();
  const welcome = page.session.welcome;
  page.session.welcome = null;
  const socket = await page.connect();
  page.session.snapshot("shared", { envs: ["main"], layouts: '{"main": {}}' });
  assert.equal(socket.readyState, 0);
  page.session.welcome = welcome;
  page.bundle.update();
  assert.equal(socket.readyState, 1);
  assert.deepEqual(page.messages, [
    { command: "register", data: "tab-1", readonly: false, envList: ["main"] },
    { command: "layout_update", data: '{"main": {}}' },
    { command: "env_update", data: ["main"] },
  ]);
});

test("streams an environment as Visdom does: positions, windows in order, layout", async () => {
  const page = new BundlePage();
  await page.open();
  page.session.set("shared", "envs", ["a_b", "main"]);
  page.frame();
  page.messages.length = 0;
  page.ask(envView("a/b"));
  page.session.snapshot("env/a_b", { z: win("z", "1"), y: win("y", "2") }, { z: { x: 1 } });
  page.frame();
  assert.deepEqual(page.messages, [
    { command: "reload", data: { z: { x: 1 } } },
    { ...win("z", "1"), eid: "a/b" },
    { ...win("y", "2"), eid: "a/b" },
    { command: "layout" },
  ]);
});

test("delivers a window once per frame, with its newest content", async () => {
  const page = new BundlePage();
  await page.open({ w: win("w", "0") });
  for (const content of ["1", "2", "3"]) page.session.set("env/main", "w", win("w", content));
  page.frame();
  page.frame();
  assert.deepEqual(page.commands, ["window w"]);
  page.batch();
  assert.deepEqual(page.texts, { w: "3" });
});

test("a replaced plot has another version than before, or 0.3.0 does not draw it anew", async () => {
  const page = new BundlePage();
  await page.open({ w: { ...win("w", "0"), version: 1 } });
  const versions = [page.panes.get("w").version];
  for (const content of ["1", "2"]) {
    page.session.set("env/main", "w", { ...win("w", content), version: 1 });
    page.frame();
    page.batch();
    versions.push(page.panes.get("w").version);
  }
  assert.equal(new Set(versions).size, 3, `versions ${versions}`);
});

test("a live change is delivered although the content id is the same", async () => {
  const page = new BundlePage();
  await page.open({ w: win("w", "0", "id") });
  page.session.set("env/main", "w", win("w", "1", "id"));
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { w: "1" });
});

test("a resync delivers only what differs and closes what is gone", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1"), b: win("b", "1"), c: win("c", "1") });
  page.session.snapshot("env/main", { a: win("a", "1"), b: win("b", "2") });
  page.frame();
  page.batch();
  assert.deepEqual(page.commands, ["close c", "window b", "layout"]);
  assert.deepEqual(page.texts, { a: "1", b: "2" });
  assert.deepEqual(page.session.commands, []);
});

test("nothing is closed before the snapshot is complete", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1"), b: win("b", "1") });
  const replica = page.session.feeds.get("env/main");
  replica.synced = false;
  replica.values.delete("b");
  replica.order = ["a"];
  replica.listener.onchanges({ changed: ["a"], removed: [], complete: false, snapshot: true });
  page.frame();
  assert.deepEqual(page.commands, []);
});

test("the echo of a close stays here, a user's close does not", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1"), b: win("b", "1") });
  page.session.remove("env/main", "a");
  page.frame();
  assert.deepEqual([page.texts, page.session.commands.length], [{ b: "1" }, 0]);
  page.closeByUser("b");
  assert.deepEqual(page.session.commands[0].command, { cmd: "close", data: "b", eid: "main" });
});

test("why an environment cannot be shown is said, and only of the one in view", async () => {
  const page = new BundlePage();
  await page.open();
  const { listener } = page.session.feeds.get("env/main");
  const verdict = (problem, recovered = false) => listener.onsubscribed({ recovered, header: { reload: {}, problem } });
  verdict("main.json is not JSON");
  verdict(5);
  verdict(undefined);
  verdict("known", true);
  page.ask(envView("other"));
  verdict("late");
  assert.deepEqual(page.problems, ["main.json is not JSON"]);
  page.session.set("env/other", "a", win("a", "1"));
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { a: "1" }, "what comes later is shown");
});

test("a close reaches a window that still waits in the bundle's batch", async () => {
  const page = new BundlePage();
  await page.open();
  page.session.set("env/main", "a", win("a", "1"));
  page.frame();
  page.session.remove("env/main", "a");
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, {});
  assert.deepEqual(page.session.commands, []);
});

test("what the user closes stays closed while the command is pending and its removal on its way", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.closeByUser("a");
  page.session.set("env/main", "a", win("a", "2"));
  page.frame();
  page.session.commands[0].reply();
  await settled();
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, {});
  page.session.remove("env/main", "a");
  page.session.set("env/main", "a", win("a", "3"));
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { a: "3" });
});

test("a refused close brings the window back and is reported", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.closeByUser("a");
  page.session.commands[0].reply({ code: "failed", message: "no" });
  await settled();
  page.frame();
  page.batch();
  assert.deepEqual([page.texts, page.errors], [{ a: "1" }, ["failed"]]);
});

test("closing what is gone already is not reported", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.closeByUser("a");
  page.session.remove("env/main", "a");
  page.session.commands[0].reply({ code: "unknown_window", message: "no such window" });
  await settled();
  assert.deepEqual(page.errors, []);
});

test("a window that outlived its close comes back with the next snapshot", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.closeByUser("a");
  page.session.commands[0].reply();
  await settled();
  page.session.snapshot("env/main", { a: win("a", "1") });
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { a: "1" });
});

test("a user's close also removes what the pending batch would bring back", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.session.set("env/main", "a", win("a", "2"));
  page.frame();
  page.closeByUser("a");
  page.batch();
  assert.deepEqual(page.texts, {});
  assert.equal(page.session.commands.length, 1);
});

test("asked again for the same view it delivers everything again, but not to a question that register provoked", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.panes.clear();
  page.ask(envView("main"));
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { a: "1" });
  page.messages.length = 0;
  page.session.welcome = { readonly: true, server: "one" };
  page.bundle.update();
  page.frame();
  page.batch();
  assert.deepEqual(page.commands, ["register"]);
});

test("switching shows only the new environment, whatever the bundle's batch still holds", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "main"), b: win("b", "main") });
  page.session.set("env/main", "a", win("a", "late"));
  page.frame();
  page.panes.clear();
  page.ask(envView("other"));
  page.session.snapshot("env/other", { b: win("b", "other") });
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { b: "other" });
  assert.deepEqual([...page.session.feeds.keys()], ["shared", "notifications", "env/other"]);
});

test("after saving under another name the panes stay and follow that environment", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.socket.send(JSON.stringify({ cmd: "save", prev_eid: "main", eid: "copy", data: {} }));
  page.session.set("env/main", "a", win("a", "2"));
  page.frame();
  assert.deepEqual(page.commands, [], "the bundle calls its panes copy already");
  page.session.commands[0].reply();
  await settled();
  page.session.snapshot("env/copy", { a: win("a", "1") });
  page.frame();
  assert.deepEqual(page.commands, ["layout"]);
  page.session.set("env/copy", "a", win("a", "3"));
  page.frame();
  assert.deepEqual(page.messages.at(-1), { ...win("a", "3"), eid: "copy" });
});

test("while a save under another name is pending the user may go back", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  page.socket.send(JSON.stringify({ cmd: "save", prev_eid: "main", eid: "copy", data: {} }));
  page.panes.clear();
  page.ask(envView("main"));
  page.session.snapshot("env/main", { a: win("a", "2") });
  page.frame();
  page.batch();
  page.session.commands[0].reply();
  await settled();
  assert.deepEqual([page.texts, page.bundle.view.feed], [{ a: "2" }, "env/main"]);
});

test("a readonly bundle, which refuses to close, loses the pane all the same and is readonly after it", async () => {
  const page = new BundlePage({ readonly: true });
  await page.open({ a: win("a", "1"), b: win("b", "1") });
  page.session.remove("env/main", "a");
  page.frame();
  assert.deepEqual([page.texts, page.readonly, page.session.commands.length], [{ b: "1" }, true, 0]);
  assert.deepEqual(page.commands, ["register", "close a", "register"]);
});

test("a readonly bundle shows what is new when something else is gone", async () => {
  const page = new BundlePage({ readonly: true });
  await page.open({ a: win("a", "1"), b: win("b", "1") });
  page.session.snapshot("env/main", { b: win("b", "1"), c: win("c", "1") });
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { b: "1", c: "1" });
});

test("disconnecting goes offline, connecting again delivers what the bundle may have lost", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1") });
  const closed = new Promise((resolve) => (page.socket.onclose = resolve));
  page.socket.close();
  assert.equal(page.session.offline, true);
  assert.equal((await closed).wasClean, true);
  page.panes.delete("a");
  await page.connect();
  assert.equal(page.session.offline, false);
  page.frame();
  page.batch();
  assert.deepEqual(page.texts, { a: "1" });
  assert.equal(page.messages[0].command, "register");
});

test("says after a server's restart, once, how many windows it has and how many of those that are shown it has lost", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "1"), b: win("b", "1") });
  page.restart();
  page.frame();
  assert.deepEqual(page.restarts, [], "not known before the snapshot");
  page.session.snapshot("env/main", { a: win("a", "1") });
  page.frame();
  page.session.snapshot("env/main", { a: win("a", "1") });
  page.frame();
  assert.deepEqual(page.restarts, [{ restored: 1, lost: 1 }]);
});

test("environments, saved layouts, undo and notifications are passed on", async () => {
  const page = new BundlePage();
  await page.open();
  page.session.set("shared", "undo/main", 2);
  page.session.set("shared", "layouts", "{}");
  page.frame();
  assert.deepEqual(page.messages, [
    { command: "layout_update", data: "{}" },
    { command: "env_update", data: ["main", "other"] },
    { command: "undo_state", eid: "main", count: 2 },
  ]);
  page.session.feeds.get("notifications").listener.onevents({ events: [{ message: "hi" }], missed: 0 });
  assert.deepEqual(page.messages.at(-1), { command: "notification", data: { message: "hi" } });
});

test("an environment that the bundle goes over to is on its list before it is on the server's", async () => {
  const page = new BundlePage();
  await page.open();
  page.ask(envView("uploaded_1"));
  assert.deepEqual(page.messages, [{ command: "env_update", data: ["main", "other", "uploaded_1"] }]);
  page.session.set("shared", "envs", ["main", "other"]);
  page.frame();
  assert.deepEqual(page.messages.at(-1), { command: "env_update", data: ["main", "other"] });
  page.ask(envView("other"));
  page.ask(envView("main"));
  assert.equal(page.messages.length, 2, "what is listed is known");
});

test("in a compare view commands aim at the window behind the pane, or go nowhere", async () => {
  const page = new BundlePage();
  await page.open();
  page.ask({ feed: "compare/gone+other", envs: ["gone", "other"], compare: true });
  const legend = "window_compare_legend";
  page.session.snapshot("compare/gone+other", { a_compare: win("a", "1"), [legend]: win(legend, "1") });
  page.frame();
  page.batch();
  assert.equal(page.messages[0].has_compare, true);
  assert.equal("eid" in page.messages[0], false);
  page.messages.length = 0;

  page.closeByUser(legend, null);
  await settled();
  page.frame();
  page.batch();
  assert.deepEqual([page.texts, page.session.commands.length], [{ a: "1", [legend]: "1" }, 0]);

  page.closeByUser("a", null);
  page.socket.send(JSON.stringify({ cmd: "forward_to_vis", data: { target: "other_env_x", eid: null, key: "k" } }));
  assert.deepEqual(
    page.session.commands.map(({ command }) => command),
    [
      { cmd: "close", data: "a", eid: "other" },
      { cmd: "forward_to_vis", data: { target: "x", eid: "other", key: "k" } },
    ],
  );
});

test("an event goes to the server without the pane, which the server adds", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "0") });
  const event = { target: "a", eid: "main", event_type: "Click" };
  for (const pane_data of [win("a", "0"), false]) {
    page.socket.send(JSON.stringify({ cmd: "forward_to_vis", data: { ...event, pane_data } }));
  }
  assert.deepEqual(
    page.session.commands.map(({ command }) => command.data),
    [event, { ...event, pane_data: false }],
  );
});

test("what is drawn is acknowledged after the bundle has processed and drawn it, not before", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "0") });
  const log = [];
  page.session.set("env/main", "a", win("a", "1"));
  page.bundle.drawn(() => log.push("1"));
  assert.deepEqual([page.processed, log], [1, []]);
  page.frame();
  assert.deepEqual([page.texts, log], [{ a: "1" }, []], "rendered, not yet drawn");
  page.frame();
  page.drawn();
  assert.deepEqual(log, ["1"]);
});

test("while the bundle draws, newer versions replace each other, and are drawn together", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "0"), b: win("b", "0") });
  const log = [];
  const change = (content) => {
    page.session.set("env/main", "a", win("a", content));
    page.bundle.drawn(() => log.push(content));
  };
  change("1");
  page.frame();
  page.messages.length = 0;
  change("2");
  page.frame();
  change("3");
  page.frame();
  assert.deepEqual([page.commands, log], [[], []]);
  page.drawn();
  assert.deepEqual(log, ["1"]);
  page.frame();
  assert.deepEqual([page.commands, page.texts.a, log], [["window a"], "3", ["1"]]);
  page.drawn();
  assert.deepEqual(log, ["1", "2", "3"]);
});

test("what brings the bundle nothing waits for a frame only", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "0") });
  const log = [];
  page.bundle.drawn(() => log.push("drawn"));
  page.drawn();
  assert.deepEqual([log, page.processed], [["drawn"], 1]);
});

test("many windows of one frame are rendered at once", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "0"), b: win("b", "0") });
  page.session.set("env/main", "a", win("a", "1"));
  page.session.set("env/main", "b", win("b", "1"));
  page.frame();
  assert.deepEqual([page.processed, page.texts], [2, { a: "1", b: "1" }]);
});

test("a pane out of view is drawn once a second, with its newest content, and at once when it comes into view", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "a0"), b: win("b", "b0") });
  page.outOfView.add("a0");
  for (const number of [1, 2, 3]) {
    page.session.set("env/main", "a", win("a", `a${number}`));
    page.session.set("env/main", "b", win("b", `b${number}`));
    page.batch();
  }
  assert.deepEqual(page.texts, { a: "a0", b: "b3" });
  page.bundle.look();
  page.batch();
  assert.equal(page.texts.a, "a0");
  page.outOfView.clear();
  page.bundle.look();
  page.batch();
  assert.equal(page.texts.a, "a3");
  page.outOfView.add("a3");
  page.session.set("env/main", "a", win("a", "a4"));
  page.batch();
  assert.equal(page.texts.a, "a3");
  await page.time.pass(1_000);
  page.batch();
  assert.equal(page.texts.a, "a4", "without anybody looking");
});

test("the keys of what is in view, or nearly, are named for the server", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "a0"), b: win("b", "b0") });
  const { near } = page.session.feeds.get("env/main").listener;
  assert.deepEqual(near(), ["a", "b"]);
  page.outOfView.add("a0");
  assert.deepEqual(near(), ["b"]);
  page.session.set("env/main", "c", win("c", "c0"));
  assert.deepEqual(near(), ["b"], "it has no pane yet");
  page.ask(envView("other"));
  page.batch();
  assert.deepEqual(near(), []);
});

test("a pane out of view is closed, and made anew, as any other", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "a0") });
  page.outOfView.add("a0");
  page.session.set("env/main", "a", win("a", "a1"));
  page.batch();
  page.session.remove("env/main", "a");
  page.batch();
  assert.deepEqual(page.texts, {});
  page.session.set("env/main", "a", win("a", "a2"));
  page.batch();
  assert.deepEqual(page.texts, { a: "a2" });
});

test("what is asked for again is delivered, in view or not", async () => {
  const page = new BundlePage();
  await page.open({ a: win("a", "a0") });
  page.outOfView.add("a0");
  page.panes.clear();
  page.ask(envView("main"));
  page.batch();
  assert.deepEqual(page.texts, { a: "a0" });
});
