import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { createContext, createElement, StrictMode, useContext, useEffect } from "react";
import { act, create } from "react-test-renderer";

import { createApiProvider } from "../ApiProvider.js";
import { Bundle } from "../src/bundle.js";
import { FakeSession, settled } from "./fakes.js";

const BATCH_MS = 100;

/** What openDashboard makes, with a server, frames and drawing in the hands of the test. */
class FakeDashboard {
  session = Object.assign(new FakeSession(), { hurried: 0, reconnectNow: () => (this.session.hurried += 1) });
  notices = [];
  badge = { notice: (text) => this.notices.push(text) };
  closed = false;
  #frames = [];

  constructor({ readonly = false } = {}) {
    this.session.welcome = { readonly, server: "one" };
    this.bundle = new Bundle({ session: this.session, requestFrame: (run) => this.#frames.push(run) });
    this.session.snapshot("shared", { envs: ["main", "other"], layouts: "" });
  }

  close() {
    this.closed = true;
  }

  /** Animation frames until nothing more is delivered. */
  frame() {
    act(() => {
      while (this.#frames.length) for (const run of this.#frames.splice(0)) run();
    });
  }
}

/** A component that uses the context as Visdom's App does. */
function makeApp(ApiContext, seen) {
  return function App() {
    const api = useContext(ApiContext);
    seen.api = api;
    const call = (name) => (...args) => seen.calls.push([name, ...args]);
    api.apiHandlers.current = {
      onWindowMessage: (message) => {
        setTimeout(() => seen.batches++, BATCH_MS);
        call("window")(message);
      },
      onLayoutMessage: call("layout"),
      onReloadMessage: call("reload"),
      onEnvUpdate: call("envs"),
      onCloseMessage: (win) => {
        call("close")(win);
        if (!api.sessionInfo.readonly) api.sendPaneClose(win, "main");
      },
      onUndoState: call("undo"),
      onDisconnect: call("disconnect"),
    };
    useEffect(() => api.sendEnvQuery(["main"]), [api.sessionInfo]);
    return null;
  };
}

/** The provider with an App in it. */
async function mount({ readonly = false, notify = undefined, strict = false } = {}) {
  const ApiContext = createContext({});
  const seen = { calls: [], batches: 0, api: null };
  const dashboards = [];
  const open = () => {
    dashboards.push(new FakeDashboard({ readonly }));
    return dashboards.at(-1);
  };
  const ApiProvider = createApiProvider(ApiContext, { open, notify });
  const tree = createElement(ApiProvider, null, createElement(makeApp(ApiContext, seen)));
  let renderer;
  await act(async () => {
    renderer = create(strict ? createElement(StrictMode, null, tree) : tree);
    await settled();
  });
  const page = {
    seen,
    dashboards,
    renderer,
    get dashboard() {
      return dashboards.at(-1);
    },
    get session() {
      return dashboards.at(-1).session;
    },
    get api() {
      return seen.api;
    },
    /** The newest calls of one handler. */
    calls: (name) => seen.calls.filter(([called]) => called === name).map(([, ...args]) => args),
    sent: () => dashboards.at(-1).session.commands.map(({ command }) => command),
    /** Shows the environment with these windows. */
    show(values, reload = undefined) {
      page.session.snapshot("env/main", values, reload);
      page.dashboard.frame();
    },
    async act(run) {
      await act(async () => {
        run();
        await settled();
      });
    },
  };
  return page;
}

const win = (id, content, contentID = content) => ({ command: "window", id, type: "text", title: id, content, contentID });

const errors = [];
globalThis.reportError = (error) => errors.push(error);
afterEach(() => assert.deepEqual(errors, []));

test("has the context of Visdom's provider", async () => {
  const { api } = await mount();
  assert.deepEqual(Object.keys(api).sort(), [
    "apiHandlers",
    "connected",
    "sendCommentUpdate",
    "sendEmbeddingPop",
    "sendEnvDelete",
    "sendEnvQuery",
    "sendEnvSave",
    "sendLayoutsSave",
    "sendPaneClose",
    "sendPaneLayoutUpdate",
    "sendPaneMessage",
    "sendPlotLayoutUpdate",
    "sendSaveAll",
    "sendUndo",
    "sessionInfo",
    "setConnected",
    "toggleOnlineState",
  ]);
  assert.equal(api.connected, true);
  assert.deepEqual(api.sessionInfo, { id: "tab-1", readonly: false });
});

test("what is asked for at mount is subscribed to before there is a session id", async () => {
  const page = await mount();
  assert.ok(page.session.replica("env/main"));
});

const SENT = [
  ["sendPaneMessage", [{ event_type: "Click", pane_data: { content: "x" } }, "w", "main"],
    { cmd: "forward_to_vis", data: { target: "w", eid: "main", event_type: "Click" } }],
  ["sendPaneMessage", [{ event_type: "KeyPress", key: "a" }, "w", "main"],
    { cmd: "forward_to_vis", data: { target: "w", eid: "main", event_type: "KeyPress", key: "a" } }],
  ["sendEmbeddingPop", [{}, "w", "main"], { cmd: "pop_embeddings_pane", data: { target: "w", eid: "main" } }],
  ["sendPaneClose", ["w", "main"], { cmd: "close", data: "w", eid: "main" }],
  ["sendEnvDelete", ["old", "main"], { cmd: "delete_env", prev_eid: "main", eid: "old" }],
  ["sendEnvSave", ["main", "main", { w: { x: 1 } }], { cmd: "save", data: { w: { x: 1 } }, prev_eid: "main", eid: "main" }],
  ["sendSaveAll", [], { cmd: "save_all" }],
  ["sendUndo", ["main"], { cmd: "undo", eid: "main" }],
  ["sendPaneLayoutUpdate", ["main", { i: "w", h: 1, w: 2, x: 3, y: 4, moved: false, static: true, maxH: 9 }],
    { cmd: "layout_item_update", eid: "main", win: "w", data: { i: "w", h: 1, w: 2, x: 3, y: 4, moved: false, static: true } }],
  ["sendPlotLayoutUpdate", ["main", "w", { "xaxis.title": "t" }, 2],
    { cmd: "update_plot_layout", eid: "main", win: "w", data: { "xaxis.title": "t" }, frame: 2 }],
  ["sendCommentUpdate", ["main", "w", "fine"], { cmd: "update_comment", eid: "main", win: "w", data: "fine" }],
  ["sendLayoutsSave", [new Map([["main", new Map([["view", new Map([["w", [0, 5, 6]]])]])]])],
    { cmd: "save_layouts", data: '{"main":{"view":{"w":[0,5,6]}}}' }],
];
for (const [name, args, command] of SENT) {
  test(`${name} sends what Visdom's server expects`, async () => {
    const page = await mount();
    await page.act(() => page.api[name](...args));
    assert.deepEqual(page.sent(), [command]);
  });
}

test("panes without an id, and those of a readonly page, send nothing to Python", async () => {
  const page = await mount();
  page.api.sendPaneMessage({}, null, "main");
  page.api.sendEmbeddingPop({}, null, "main");
  page.api.sendCommentUpdate("main", null, "x");
  assert.deepEqual(page.sent(), []);
  const readonly = await mount({ readonly: true });
  readonly.api.sendPaneMessage({}, "w", "main");
  readonly.api.sendEmbeddingPop({}, "w", "main");
  readonly.api.sendCommentUpdate("main", "w", "x");
  assert.deepEqual(readonly.sent(), []);
});

test("what a server has lost stays, and is dismissed without a word to it", async () => {
  const page = await mount();
  page.show({ a: win("a", "1"), b: win("b", "1") });
  page.session.welcome = { readonly: false, server: "two" };
  page.dashboard.bundle.update();
  page.show({ b: win("b", "1") });
  assert.deepEqual(page.calls("window").at(-1)[0].cmd.title, "a (lost)");
  assert.deepEqual([page.calls("close"), page.dashboard.bundle.kept.panes], [[], ["a"]]);
  await page.act(() => page.api.sendPaneClose("a", "main"));
  assert.deepEqual([page.sent(), page.dashboard.bundle.kept], [[], null]);
});

test("a command is kept as it was given", async () => {
  const page = await mount();
  const layout = { w: { x: 1 } };
  page.api.sendEnvSave("main", "main", layout);
  layout.w.x = 2;
  assert.equal(page.sent()[0].data.w.x, 1);
});

test("sendEnvQuery shows an environment, several compared, or nothing", async () => {
  const page = await mount();
  page.api.sendEnvQuery([]);
  assert.ok(page.session.replica("env/main"));
  page.api.sendEnvQuery(["a/b"]);
  assert.equal(page.session.replica("env/main"), undefined);
  assert.ok(page.session.replica("env/a_b"));
  page.api.sendEnvQuery(["main", "other"]);
  assert.ok(page.session.replica("compare/main+other"));
  page.api.sendEnvQuery(["main", "other"], true);
  assert.ok(page.session.replica("compare/all:main+other"));
});

test("the server's messages reach their handlers in Visdom's shapes", async () => {
  const page = await mount();
  page.seen.calls.length = 0;
  await page.act(() => {
    page.session.set("shared", "layouts", '{"main":{}}');
    page.session.set("shared", "undo/main", 2);
  });
  page.show({ w: win("w", "1") }, { w: { x: 3 } });
  assert.deepEqual(page.calls("layout")[0], [{ data: '{"main":{}}', update: true }]);
  assert.deepEqual(page.calls("envs")[0], [["main", "other"]]);
  assert.deepEqual(page.calls("undo")[0], [{ command: "undo_state", eid: "main", count: 2 }]);
  assert.deepEqual(page.calls("reload"), [[{ data: { w: { x: 3 } } }]]);
  assert.deepEqual(page.calls("window"), [[{ cmd: { ...win("w", "1"), eid: "main" }, update: false }]]);
  assert.deepEqual(page.calls("layout").at(-1), [{ data: undefined, update: false }]);
  page.session.remove("env/main", "w");
  page.dashboard.frame();
  assert.deepEqual(page.calls("close"), [["w"]]);
  assert.deepEqual(page.sent(), [], "the answer to a removal is no close of the user's");
});

test("a window comes at most once per frame, and App's batch is processed within it", async () => {
  const page = await mount();
  page.show({ w: win("w", "0") });
  page.seen.calls.length = 0;
  page.seen.batches = 0;
  for (const content of ["1", "2", "3"]) page.session.set("env/main", "w", win("w", content));
  page.dashboard.frame();
  assert.deepEqual(page.calls("window").map(([{ cmd }]) => cmd.content), ["3"]);
  assert.equal(page.seen.batches, 1);
});

test("a window is the components' own: what they and the replica change does not meet", async () => {
  const page = await mount();
  const window = { ...win("w", "0"), content: { data: [{ x: [1, 2] }] } };
  page.show({ w: window });
  const [[{ cmd: shown }]] = page.calls("window");
  window.content.data[0].x.push(3); // a delta
  assert.deepEqual(shown.content.data[0].x, [1, 2]);
  shown.content.data[0].visible = true; // Plotly
  assert.deepEqual(window.content.data[0], { x: [1, 2, 3] });
});

test("what a handler throws stops nothing else", async () => {
  const page = await mount();
  page.api.apiHandlers.current.onWindowMessage = ({ cmd }) => {
    if (cmd.id === "bad") throw new Error("cannot be shown");
    page.seen.calls.push(["window", cmd.id]);
  };
  page.show({ bad: win("bad", "1"), good: win("good", "1") });
  assert.deepEqual(page.calls("window"), [["good"]]);
  assert.deepEqual(errors.splice(0).map(({ message }) => message), ["cannot be shown"]);
});

test("a readonly page loses panes that are gone", async () => {
  const page = await mount({ readonly: true });
  page.show({ w: win("w", "1") });
  page.session.remove("env/main", "w");
  page.dashboard.frame();
  assert.deepEqual(page.calls("close"), [["w"]]);
  assert.equal(page.api.sessionInfo.readonly, true);
});

test("notifications are shown as toasts, or by the badge where there are none", async () => {
  const event = { message: "saved", type: "success", duration: 10 };
  const toasts = [];
  const page = await mount({ notify: (...args) => toasts.push(args) });
  page.session.feeds.get("notifications").listener.onevents({ events: [event] });
  assert.deepEqual(toasts, [["saved", "success", { duration: 10 }]]);
  const plain = await mount();
  plain.session.feeds.get("notifications").listener.onevents({ events: [event] });
  assert.deepEqual(plain.dashboard.notices, ["saved"]);
});

test("off and on line as often and as quickly as one likes", async () => {
  const page = await mount();
  await page.act(() => page.api.toggleOnlineState());
  assert.deepEqual([page.api.connected, page.session.offline], [false, true]);
  page.api.sendPaneClose("w", "main");
  assert.deepEqual(page.sent(), []);
  for (let time = 1; time <= 5; time++) {
    await page.act(() => page.api.toggleOnlineState());
    assert.equal(page.api.connected, true);
    // App empties the reference it was given long after the next connection is there.
    for (const [reference] of page.calls("disconnect")) reference.current = null;
    page.api.sendSaveAll();
    assert.equal(page.sent().length, time);
    await page.act(() => page.api.toggleOnlineState());
    assert.equal(page.api.connected, false);
  }
});

test("a click before the first connection hurries it", async () => {
  const page = await mount();
  await page.act(() => page.api.toggleOnlineState());
  page.session.welcome = null;
  await page.act(() => page.api.toggleOnlineState());
  assert.equal(page.api.connected, false);
  page.api.toggleOnlineState();
  assert.equal(page.session.hurried, 1);
});

test("unmounting ends the connection, and nothing is delivered any more", async () => {
  const page = await mount();
  page.show({ w: win("w", "1") });
  await page.act(() => page.renderer.unmount());
  assert.equal(page.dashboard.closed, true);
  page.seen.calls.length = 0;
  page.session.set("env/main", "w", win("w", "2"));
  page.dashboard.frame();
  page.api.sendSaveAll();
  page.api.sendEnvQuery(["other"]);
  assert.deepEqual([page.seen.calls, page.sent()], [[], []]);
});

test("StrictMode: one connection is open, and it works", async () => {
  const page = await mount({ strict: true });
  assert.equal(page.dashboards.filter(({ closed }) => !closed).length, 1);
  page.show({ w: win("w", "1") });
  assert.deepEqual(page.calls("window").map(([{ cmd }]) => cmd.id), ["w"]);
});

test("mounting again after an unmount opens another connection", async () => {
  const ApiContext = createContext({});
  const seen = { calls: [], batches: 0, api: null };
  const dashboards = [];
  const ApiProvider = createApiProvider(ApiContext, { open: () => (dashboards.push(new FakeDashboard()), dashboards.at(-1)) });
  const App = makeApp(ApiContext, seen);
  const tree = (key) => createElement(ApiProvider, { key }, createElement(App));
  let renderer;
  await act(async () => {
    renderer = create(tree("one"));
    await settled();
  });
  await act(async () => {
    renderer.update(tree("two"));
    await settled();
  });
  assert.deepEqual(dashboards.map(({ closed }) => closed), [true, false]);
  assert.equal(seen.api.connected, true);
});
