import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Session } from "../src/session.js";
import {
  batch,
  events,
  FakeFetch,
  FakePage,
  FakeScreen,
  FakeSocket,
  FakeStorage,
  FakeTime,
  sessionOptions,
  settled,
  subscribed,
  WELCOME,
} from "./fakes.js";

const FEED = "env/main";
const pane = (contentID, x = []) => ({ contentID, x });
const value = (key, offset, value) => ({ key, offset, value });
const delta = (key, base, offset, ...operations) => ({ key, offset, base, delta: operations });

/** A browser tab with one session in it, and all that its server sees. */
class Tab {
  time = new FakeTime();
  page = new FakePage();
  net = new FakeFetch();
  screen = new FakeScreen();
  sessionStorage = new FakeStorage();
  localStorage = new FakeStorage();
  random = 0.5;
  errors = [];
  states = [];
  heard = [];

  constructor(options = {}) {
    FakeSocket.made = [];
    this.options = options;
    this.open();
  }

  /** What a refresh does: a new page over the same storage. */
  open() {
    this.page = new FakePage();
    this.session = new Session(
      sessionOptions({
        net: this.net,
        screen: this.screen,
        time: this.time,
        page: this.page,
        random: () => this.random,
        sessionStorage: () => this.sessionStorage,
        localStorage: () => this.localStorage,
        onerror: (error) => this.errors.push(error),
        ...this.options,
      }),
    );
    this.session.onstate = (state) => this.states.push(state.phase);
  }

  listener(name) {
    const hear = (type) => (news) => this.heard.push({ name, type, ...news });
    return { onsubscribed: hear("subscribed"), onchanges: hear("changes"), onevents: hear("events") };
  }

  get sockets() {
    return FakeSocket.made;
  }

  get socket() {
    return FakeSocket.made.at(-1);
  }

  get state() {
    return this.session.state;
  }

  /** Live on a WebSocket, one feed at offset 10 with windows a and b, everything drawn and acknowledged. */
  async live() {
    this.session.subscribe(FEED, this.listener(FEED));
    this.session.start();
    await this.welcome();
    await this.socket.say(
      subscribed(FEED, { offset: 10 }),
      batch(FEED, { to: 10, entries: [value("a", 5, pane("a1", [1])), value("b", 7, pane("b1"))], keys: ["a", "b"] }),
    );
    await this.screen.draw();
    this.heard = [];
    return this;
  }

  async welcome(facts = {}) {
    this.socket.accept();
    await this.socket.say({ ...WELCOME, ...facts });
  }

  /** Live on long polls from the start, in the same state. */
  async polling() {
    this.session.subscribe(FEED, this.listener(FEED));
    this.session.start();
    await settled();
    await this.net.poll.reply(
      WELCOME,
      subscribed(FEED, { offset: 10 }),
      batch(FEED, { to: 10, entries: [value("a", 5, pane("a1", [1])), value("b", 7, pane("b1"))], keys: ["a", "b"] }),
    );
    // The ping that measures the round trip.
    await this.net.send.reply({ type: "pong" });
    await this.screen.draw();
    this.heard = [];
    return this;
  }

  /** Until the next planned attempt to connect. */
  async retry() {
    await this.time.pass(this.state.nextAttemptAt - this.time.now());
  }
}

/** @type {Tab} */
let tab;
beforeEach(() => {
  tab = new Tab();
});

// --- opening ---

test("hello is the first message, on the role's endpoint with the subprotocol", async () => {
  tab.session.subscribe(FEED, {});
  tab.session.start();
  assert.equal(tab.state.phase, "connecting");
  assert.deepEqual([tab.socket.url, tab.socket.protocol], ["ws://host:8097/socket", "visdom-transport.v1"]);
  tab.socket.accept();
  assert.deepEqual(tab.socket.sent, [
    {
      type: "hello",
      role: "browser",
      session: null,
      secret: null,
      window: 4,
      compression: ["deflate"],
      feeds: { [FEED]: null },
    },
  ]);
});

test("a base url, a source, TLS", () => {
  tab = new Tab({ baseUrl: "/sub", role: "source", location: "https://host/sub/env/main" });
  tab.session.start();
  assert.equal(tab.socket.url, "wss://host/sub/vis_socket");
});

test("live after welcome, with its facts", async () => {
  tab.session.start();
  await tab.welcome({ resumed: true });
  assert.deepEqual([tab.state.phase, tab.state.link, tab.state.resumed, tab.state.code], ["live", "websocket", true, null]);
  assert.equal(tab.session.welcome.server, "server1");
  assert.equal(tab.session.id, "s1");
  assert.deepEqual(tab.states, ["connecting", "live"]);
});

test("changes reach the listener, the values are in the replica", async () => {
  await tab.live();
  await tab.socket.say(
    batch(FEED, {
      from: 10,
      to: 12,
      entries: [delta("a", 10, 11, ["extend", ["x"], [2]]), { key: "b", offset: 12, deleted: true }],
    }),
  );
  assert.deepEqual(tab.heard, [
    { name: FEED, type: "changes", changed: ["a"], removed: ["b"], absent: new Map(), complete: true, snapshot: false },
  ]);
  assert.deepEqual(tab.session.replica(FEED).values.get("a").x, [1, 2]);
  assert.deepEqual(tab.session.replica(FEED).order, ["a"]);
});

test("events reach the listener, with what was lost", async () => {
  tab.session.subscribe("notifications", tab.listener("notifications"));
  tab.session.start();
  await tab.welcome();
  await tab.socket.say(
    subscribed("notifications", { offset: 5 }),
    events("notifications", { from: 5, to: 8, missed: 1, events: ["x", "y"] }),
  );
  assert.deepEqual(tab.heard[1], { name: "notifications", type: "events", events: ["x", "y"], missed: 1 });
  assert.equal(tab.session.replica("notifications"), undefined);
});

test("a listener that throws is reported and stops nothing", async () => {
  tab.session.subscribe(FEED, {
    onchanges: () => {
      throw new Error("plot");
    },
  });
  tab.session.start();
  await tab.welcome();
  await tab.socket.say(subscribed(FEED), batch(FEED, { to: 1, entries: [value("a", 1, 1)], keys: ["a"] }));
  await tab.screen.draw();
  assert.equal(tab.errors[0].message, "plot");
  assert.deepEqual(tab.socket.last("ack"), { type: "ack", batches: 1 });
});

test("unknown messages and members are ignored, errors are reported, the link stays", async () => {
  await tab.live();
  await tab.socket.say({ type: "later" }, { type: "error", code: "bad_field", message: "m", field: "f" });
  assert.equal(tab.errors[0].code, "bad_field");
  assert.equal(tab.state.phase, "live");
});

test("a frame that is not JSON ends the link, which is tried again", async () => {
  await tab.live();
  tab.socket.onmessage({ data: '{"type": "bat' });
  assert.equal(tab.state.phase, "waiting");
});

// --- subscriptions ---

test("subscribing and unsubscribing while live", async () => {
  await tab.live();
  tab.session.subscribe("shared", {});
  assert.deepEqual(tab.socket.last("subscribe"), { type: "subscribe", feed: "shared", position: null });
  tab.session.unsubscribe("shared");
  assert.deepEqual(tab.socket.last("unsubscribe"), { type: "unsubscribe", feed: "shared" });
  assert.equal(tab.session.replica("shared"), undefined);
});

test("subscribing again replaces the listener and says nothing", async () => {
  await tab.live();
  tab.session.subscribe(FEED, tab.listener("second"));
  assert.equal(tab.socket.last("subscribe"), undefined);
  await tab.socket.say(batch(FEED, { from: 10, to: 11, entries: [value("a", 11, 1)] }));
  assert.equal(tab.heard[0].name, "second");
});

test("what changes between hello and welcome is made up for", async () => {
  tab.session.subscribe(FEED, {});
  tab.session.subscribe("env/old", {});
  tab.session.start();
  tab.socket.accept();
  tab.session.unsubscribe("env/old");
  tab.session.subscribe("env/new", {});
  await tab.socket.say(WELCOME);
  assert.deepEqual(
    tab.socket.sent.filter(({ type }) => type.endsWith("subscribe")),
    [
      { type: "unsubscribe", feed: "env/old" },
      { type: "subscribe", feed: "env/new", position: null },
    ],
  );
});

test("a feed that is left and entered again listens only to its own verdict", async () => {
  tab.session.subscribe(FEED, tab.listener(FEED));
  tab.session.start();
  await tab.welcome();
  tab.session.unsubscribe(FEED);
  tab.session.subscribe(FEED, tab.listener(FEED));
  const snapshot = batch(FEED, { to: 1, entries: [value("a", 1, 1)], keys: ["a"] });
  await tab.socket.say(subscribed(FEED), snapshot);
  assert.deepEqual(tab.heard, []);
  await tab.socket.say(subscribed(FEED), snapshot);
  assert.deepEqual(
    tab.heard.map(({ type }) => type),
    ["subscribed", "changes"],
  );
});

test("a refused subscription does not deafen a later one", async () => {
  await tab.live();
  tab.session.subscribe("env/x", tab.listener("env/x"));
  await tab.socket.say({ type: "error", code: "unknown_feed", message: "m", field: null, feed: "env/x" });
  tab.session.unsubscribe("env/x");
  tab.session.subscribe("env/x", tab.listener("env/x"));
  await tab.socket.say(subscribed("env/x"));
  assert.equal(tab.heard.length, 1);
});

test("a gap: subscribes again with content ids and no position, and ignores what was under way", async () => {
  await tab.live();
  await tab.socket.say(
    batch(FEED, { from: 10, to: 12, entries: [value("b", 11, pane("b2")), delta("a", 10, 12, ["append", ["x"], "no"])] }),
    batch(FEED, { from: 12, to: 13, entries: [value("b", 13, pane("b3"))] }),
  );
  assert.deepEqual(tab.socket.last("subscribe"), {
    type: "subscribe",
    feed: FEED,
    position: { epoch: "", offset: -1, have: { b: "b2" } },
  });
  assert.deepEqual(
    tab.heard.map(({ changed }) => changed),
    [["b"]],
    "what was applied before the gap is told",
  );
  await tab.socket.say(
    subscribed(FEED, { offset: 13, reason: "epoch" }),
    batch(FEED, { to: 13, entries: [value("a", 12, pane("a2")), value("b", 13, pane("b3"))], keys: ["a", "b"] }),
  );
  assert.equal(tab.session.replica(FEED).values.get("b").contentID, "b3");
  await tab.screen.draw();
  assert.deepEqual(tab.socket.last("ack"), { type: "ack", batches: 4 }, "ignored batches count as well");
});

// --- resume ---

test("after a cut: positions are presented, nothing doubled, nothing lost", async () => {
  await tab.live();
  await tab.socket.say(batch(FEED, { from: 10, to: 20, complete: false, entries: [delta("a", 10, 15, ["extend", ["x"], [2]])] }));
  await tab.socket.cut();
  assert.equal(tab.state.phase, "waiting");
  await tab.time.pass(500);
  tab.socket.accept();
  const hello = tab.socket.last("hello");
  assert.deepEqual([hello.session, hello.secret], ["s1", "secret1"]);
  assert.deepEqual(hello.feeds[FEED], { epoch: "e1", offset: 10, part: 1, ahead: { a: 15 }, have: { a: "a1", b: "b1" } });
  await tab.socket.say({ ...WELCOME, resumed: true }, subscribed(FEED, { offset: 21, recovered: true }));
  assert.equal(tab.session.replica(FEED).synced, false);
  await tab.socket.say(batch(FEED, { from: 10, to: 21, entries: [delta("a", 15, 21, ["extend", ["x"], [3]])] }));
  assert.deepEqual(tab.session.replica(FEED).values.get("a").x, [1, 2, 3]);
  assert.equal(tab.session.replica(FEED).synced, true);
  assert.equal(tab.socket.last("subscribe"), undefined);
});

test("what is near is told with a position that is held, and is no reason to subscribe again", async () => {
  await tab.live();
  let near = ["b"];
  tab.session.subscribe(FEED, { near: () => near });
  tab.session.subscribe("env/new", { near: () => near });
  assert.equal(tab.socket.last("subscribe").position, null, "a first load has its own order");
  await tab.socket.cut();
  await tab.time.pass(500);
  tab.socket.accept();
  const { feeds } = tab.socket.last("hello");
  assert.deepEqual(feeds[FEED], { epoch: "e1", offset: 10, have: { a: "a1", b: "b1" }, near: ["b"] });
  near = ["a"];
  await tab.socket.say({ ...WELCOME, resumed: true }, subscribed(FEED, { offset: 10, recovered: true }));
  assert.equal(tab.socket.last("subscribe"), undefined);
  near = [];
  await tab.socket.say(batch(FEED, { from: 10, to: 11, entries: [delta("c", 10, 11, ["extend", ["x"], [3]])] }));
  assert.equal("near" in tab.socket.last("subscribe").position, false);
});

test("late callbacks of an old socket change nothing", async () => {
  await tab.live();
  const old = tab.socket;
  const { onmessage, onclose } = old;
  tab.session.goOffline();
  tab.session.goOnline();
  await tab.welcome();
  assert.deepEqual([old.onmessage, old.onclose], [null, null]);
  onmessage({ data: JSON.stringify(batch(FEED, { from: 10, to: 11, entries: [value("a", 11, "late")] })) });
  onclose({ code: 4050, reason: "late" });
  assert.equal(tab.state.phase, "live");
  assert.notEqual(tab.session.replica(FEED).values.get("a"), "late");
});

test("acknowledgements of an old link are not given on a new one", async () => {
  await tab.live();
  await tab.socket.say(batch(FEED, { from: 10, to: 11, entries: [value("a", 11, 1)] }));
  await tab.socket.cut();
  await tab.time.pass(500);
  await tab.welcome();
  await tab.screen.draw();
  assert.deepEqual(tab.socket.told("ack"), []);
});

test("a server restart: another epoch, only what differs is sent", async () => {
  await tab.live();
  await tab.socket.cut(4001, "going_away");
  await tab.time.pass(500);
  await tab.welcome({ session: "s2", secret: "secret2", server: "server2" });
  await tab.socket.say(
    subscribed(FEED, { epoch: "e2", offset: 0, reason: "epoch" }),
    batch(FEED, { epoch: "e2", to: 0, entries: [value("b", 0, pane("b2"))], keys: ["a", "b"] }),
  );
  assert.equal(tab.session.id, "s2");
  assert.deepEqual(tab.heard.at(-1), {
    name: FEED,
    type: "changes",
    changed: ["b"],
    removed: [],
    absent: new Map(),
    complete: true,
    snapshot: true,
  });
});

test("a verdict that nobody has asked for: another epoch on the same link, only what differs is sent", async () => {
  await tab.live();
  await tab.socket.say(
    subscribed(FEED, { epoch: "e2", offset: 3, reason: "epoch" }),
    batch(FEED, { epoch: "e2", to: 3, entries: [value("b", 2, pane("b2"))], keys: ["a", "b"] }),
    batch(FEED, { epoch: "e2", from: 3, to: 4, entries: [delta("a", 3, 4, ["extend", ["x"], [2]])] }),
  );
  const { values, epoch, offset } = tab.session.replica(FEED);
  assert.deepEqual([values.get("a").x, values.get("b").contentID], [[1, 2], "b2"]);
  assert.deepEqual([epoch, offset], ["e2", 4]);
  assert.equal(tab.heard[0].reason, "epoch");
  assert.equal(tab.state.phase, "live");
  assert.deepEqual(tab.errors, []);
});

test("a verdict that nobody has asked for, in the answer to a poll: the next one presents the new epoch", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply(
    subscribed(FEED, { epoch: "e2", offset: 3, reason: "epoch" }),
    batch(FEED, { epoch: "e2", to: 3, entries: [value("b", 2, pane("b2"))], keys: ["a", "b"] }),
  );
  await tab.screen.draw();
  assert.deepEqual(tab.net.poll.body.feeds[FEED], { epoch: "e2", offset: 3 });
  assert.deepEqual(tab.errors, []);
});

test("what is ahead of the head: a batch that moves no position, and is told as ahead", async () => {
  await tab.live();
  await tab.socket.say(batch(FEED, { from: 10, to: 10, complete: false, entries: [value("a", 14, pane("a2"))] }));
  assert.deepEqual(tab.session.replica(FEED).position({ have: false }), {
    epoch: "e1",
    offset: 10,
    ahead: { a: 14 },
    part: 1,
  });
  await tab.socket.say(batch(FEED, { from: 10, to: 15, entries: [value("b", 15, pane("b2"))] }));
  assert.deepEqual(tab.session.replica(FEED).position({ have: false }), { epoch: "e1", offset: 15 });
});

test("identity survives a refresh, the replica does not", async () => {
  await tab.live();
  tab.open();
  tab.session.subscribe(FEED, {});
  tab.session.start();
  tab.socket.accept();
  assert.deepEqual([tab.socket.last("hello").session, tab.socket.last("hello").feeds[FEED]], ["s1", null]);
});

test("storage that is forbidden is done without", async () => {
  const forbidden = () => {
    throw new DOMException("denied", "SecurityError");
  };
  tab = new Tab({ sessionStorage: forbidden, localStorage: forbidden });
  await tab.live();
  assert.equal(tab.state.phase, "live");
  assert.deepEqual(tab.errors, []);
});

for (const [code, why] of [
  [4000, "replaced"],
  [4051, "wrong secret"],
]) {
  test(`${why}: the identity is dropped, positions are kept, connect again`, async () => {
    await tab.live();
    await tab.socket.cut(code, "r");
    assert.deepEqual([tab.state.phase, tab.state.code, tab.state.reason], ["waiting", code, "r"]);
    await tab.time.pass(500);
    tab.socket.accept();
    const { session, secret, feeds } = tab.socket.last("hello");
    assert.deepEqual([session, secret, feeds[FEED].offset], [null, null, 10]);
    assert.equal(tab.sessionStorage.items.size, 0);
  });
}

for (const code of [4001, 4002, 4003, 4004, 1006, 1000, 1009, 1011]) {
  test(`code ${code}: connect again as the same session`, async () => {
    await tab.live();
    await tab.socket.cut(code);
    await tab.time.pass(500);
    tab.socket.accept();
    assert.equal(tab.socket.last("hello").session, "s1");
  });
}

test("code 4005: connect again, late", async () => {
  await tab.live();
  await tab.socket.cut(4005, "limit");
  await tab.time.pass(15_000);
  assert.equal(tab.sockets.length, 1);
  await tab.time.pass(7_500);
  assert.equal(tab.sockets.length, 2);
});

for (const code of [4050, 4052, 4053, 4099]) {
  test(`code ${code}: do not connect again, until a person asks`, async () => {
    await tab.live();
    await tab.socket.cut(code, "no");
    assert.deepEqual([tab.state.phase, tab.state.code, tab.state.reason, tab.state.nextAttemptAt], ["stopped", code, "no", null]);
    await tab.time.pass(600_000);
    assert.equal(tab.sockets.length, 1);
    tab.session.reconnectNow();
    assert.equal(tab.sockets.length, 2);
  });
}

// --- waiting ---

test("the delay grows with jitter, and is told", async () => {
  await tab.live();
  await tab.time.pass(1_000);
  await tab.socket.cut();
  assert.deepEqual([tab.state.nextAttemptAt - tab.time.now(), tab.state.attempt], [250, 1]);
  await tab.time.pass(250);
  tab.random = 0.25;
  await tab.socket.cut();
  assert.deepEqual([tab.state.nextAttemptAt - tab.time.now(), tab.state.attempt], [250, 2]);
});

test("a page that was signed out looks again when it is shown: somebody may have signed in elsewhere", async () => {
  await tab.live();
  await tab.socket.cut(4050, "unauthorized");
  await tab.page.say("visible");
  assert.equal(tab.sockets.length, 2);
  await tab.socket.cut(4053, "origin");
  await tab.page.say("visible");
  assert.equal(tab.sockets.length, 2, "no other end is looked at again");
});

test("reconnectNow does not wait", async () => {
  await tab.live();
  await tab.socket.cut();
  tab.session.reconnectNow();
  assert.equal(tab.state.phase, "connecting");
  assert.equal(tab.sockets.length, 2);
  await tab.time.pass(400);
  assert.equal(tab.sockets.length, 2, "the planned attempt is off");
});

test("offline until the person asks again", async () => {
  await tab.live();
  tab.session.goOffline();
  assert.deepEqual([tab.state.phase, tab.state.link, tab.socket.closed.code], ["offline", null, 1000]);
  tab.session.reconnectNow();
  await tab.page.say("online");
  await tab.time.pass(600_000);
  assert.equal(tab.sockets.length, 1);
  assert.equal(tab.time.alarms, 0);
  tab.session.goOnline();
  assert.equal(tab.state.phase, "connecting");
});

test("closed for good: no alarm, no listener, commands fail", async () => {
  await tab.live();
  const reply = tab.session.command({ cmd: "save" });
  tab.session.close();
  assert.equal((await reply).error.code, "failed");
  assert.deepEqual([tab.time.alarms, tab.page.listeners.size], [0, 0]);
});

test("a hundred cuts leave nothing behind", async () => {
  await tab.live();
  for (let cut = 0; cut < 100; cut++) {
    await tab.time.pass(6_000);
    await tab.socket.say({ type: "ping" });
    await tab.socket.cut();
    tab.session.reconnectNow();
    await tab.welcome();
  }
  assert.equal(tab.time.alarms, 1, "the heartbeat");
  assert.equal(tab.page.listeners.size, 1);
  assert.equal(tab.sockets.length, 101);
});

// --- credit ---

test("a batch is acknowledged when it is drawn, cumulatively, once per frame", async () => {
  await tab.live();
  assert.deepEqual(tab.socket.told("ack"), [{ type: "ack", batches: 1 }]);
  await tab.socket.say(
    batch(FEED, { from: 10, to: 11 }),
    batch(FEED, { from: 11, to: 12 }),
    subscribed(FEED, { offset: 12, recovered: true }),
  );
  assert.equal(tab.socket.told("ack").length, 1, "nothing is drawn yet");
  await tab.screen.draw();
  assert.deepEqual(tab.socket.told("ack").slice(1), [{ type: "ack", batches: 3 }]);
});

// --- commands ---

test("a command is confirmed by its reply", async () => {
  await tab.live();
  const reply = tab.session.command({ cmd: "close", data: "a" });
  assert.deepEqual(tab.socket.last("command"), { type: "command", id: 1, command: { cmd: "close", data: "a" } });
  assert.equal(tab.session.pendingCommands, 1);
  await tab.socket.say({ type: "reply", id: 1, error: null, result: "ok" });
  assert.deepEqual(await reply, { error: null, result: "ok" });
  assert.equal(tab.session.pendingCommands, 0);
  await tab.socket.say({ type: "reply", id: 1, error: null, result: "again" });
});

test("a refused command says why", async () => {
  await tab.live();
  const reply = tab.session.command({ cmd: "nonsense" });
  const error = { code: "unknown_command", message: "m", field: "cmd" };
  await tab.socket.say({ type: "reply", id: 1, error, result: null });
  assert.deepEqual(await reply, { error, result: null });
});

test("commands are kept and sent again in order, after each welcome", async () => {
  await tab.live();
  tab.session.command({ cmd: "one" });
  await tab.socket.cut();
  tab.session.command({ cmd: "two" });
  await tab.time.pass(500);
  tab.socket.accept();
  tab.session.command({ cmd: "three" });
  assert.deepEqual(tab.socket.told("command"), [], "nothing before the welcome");
  await tab.socket.say({ ...WELCOME, resumed: true });
  assert.deepEqual(
    tab.socket.told("command").map(({ id, command }) => [id, command.cmd]),
    [
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ],
  );
});

test("another session: the kept commands begin again at 1", async () => {
  await tab.live();
  const done = tab.session.command({ cmd: "done" });
  await tab.socket.say({ type: "reply", id: 1, error: null, result: null });
  await done;
  const two = tab.session.command({ cmd: "two" });
  tab.session.command({ cmd: "three" });
  await tab.socket.cut();
  await tab.time.pass(500);
  await tab.welcome({ session: "s2" });
  assert.deepEqual(
    tab.socket.told("command").map(({ id, command }) => [id, command.cmd]),
    [
      [1, "two"],
      [2, "three"],
    ],
  );
  tab.session.command({ cmd: "four" });
  assert.equal(tab.socket.last("command").id, 3);
  await tab.socket.say({ type: "reply", id: 1, error: null, result: "two" });
  assert.equal((await two).result, "two");
});

test("a refreshed page goes on counting: the session has seen the earlier ids", async () => {
  await tab.live();
  tab.session.command({ cmd: "one" });
  tab.open();
  tab.session.start();
  await tab.welcome({ resumed: true });
  tab.session.command({ cmd: "two" });
  assert.equal(tab.socket.last("command").id, 2);
});

// --- what a relay says of its source ---

test("what a relay says of its source is told, until another link says otherwise", async () => {
  await tab.live();
  assert.equal(tab.state.source, null);
  tab.states = [];
  await tab.socket.say({ type: "source", url: "http://origin:8097", here: false, heard_s: 2.5 });
  const heardAt = tab.time.now() - 2_500;
  assert.deepEqual(tab.state.source, { url: "http://origin:8097", here: false, heardAt });
  assert.deepEqual(tab.states, ["live"], "the page hears of it");
  await tab.socket.cut();
  assert.equal(tab.state.source, null);
  await tab.retry();
  await tab.welcome();
  assert.equal(tab.state.source, null, "this server follows none");
});

// --- heartbeat ---

test("pings are answered", async () => {
  await tab.live();
  await tab.socket.say({ type: "ping" });
  assert.deepEqual(tab.socket.last("pong"), { type: "pong" });
});

test("the round trip is measured", async () => {
  await tab.live();
  await tab.time.pass(40);
  await tab.socket.say({ type: "pong" });
  assert.equal(tab.state.roundTripMs, 40);
});

test("silence: a ping after heartbeat_s, death after dead_after_s", async () => {
  await tab.live();
  await tab.socket.say({ type: "pong" });
  const heardAt = tab.time.now();
  await tab.time.pass(7_999);
  assert.equal(tab.socket.told("ping").length, 1);
  await tab.time.pass(1);
  assert.equal(tab.socket.told("ping").length, 2);
  await tab.time.pass(11_999);
  assert.equal(tab.state.phase, "live");
  await tab.time.pass(1);
  assert.deepEqual([tab.state.phase, tab.state.code, tab.state.lastHeardAt], ["waiting", 4002, heardAt]);
  assert.notEqual(tab.socket.closed, null);
});

test("any message is a sign of life", async () => {
  await tab.live();
  for (let i = 0; i < 10; i++) {
    await tab.time.pass(7_000);
    await tab.socket.say(batch(FEED, { from: 10, to: 10 }));
  }
  assert.equal(tab.socket.told("ping").length, 1, "only the one that measures");
  assert.equal(tab.state.phase, "live");
});

// --- page life ---

for (const event of ["online", "pageshow", "visible", "resume", "offline"]) {
  test(`on ${event} the link is checked at once, with a short deadline`, async () => {
    await tab.live();
    await tab.socket.say({ type: "pong" });
    await tab.page.say(event);
    assert.equal(tab.socket.told("ping").length, 2);
    await tab.time.pass(3_000);
    assert.equal(tab.state.phase, "waiting");
  });

  test(`on ${event} a link that answers stays`, async () => {
    await tab.live();
    await tab.page.say(event);
    await tab.time.pass(100);
    await tab.socket.say({ type: "pong" });
    await tab.time.pass(5_000);
    assert.equal(tab.state.phase, "live");
  });
}

test("laptop sleep: the link gets a ping and a short deadline, not a verdict", async () => {
  await tab.live();
  await tab.socket.say({ type: "pong" });
  await tab.time.suspendMachine(3_600_000);
  assert.equal(tab.state.phase, "live");
  assert.equal(tab.socket.told("ping").length, 2);
  await tab.socket.say({ type: "pong" });
  await tab.time.pass(5_000);
  assert.equal(tab.state.phase, "live");
});

test("laptop sleep: a link that does not answer is given up after the short deadline", async () => {
  await tab.live();
  await tab.socket.say({ type: "pong" });
  await tab.time.suspendMachine(3_600_000);
  await tab.time.pass(3_000);
  assert.equal(tab.state.phase, "waiting");
});

for (const event of ["online", "visible", "pageshow"]) {
  test(`on ${event} a waiting session connects at once`, async () => {
    await tab.live();
    await tab.socket.cut();
    await tab.page.say(event);
    assert.equal(tab.state.phase, "connecting");
  });
}

test("pagehide lets go of the link, pageshow resumes the session", async () => {
  await tab.live();
  await tab.page.say("pagehide");
  assert.deepEqual([tab.state.phase, tab.state.nextAttemptAt, tab.socket.closed.code], ["waiting", null, 1000]);
  await tab.time.pass(600_000);
  assert.equal(tab.sockets.length, 1);
  await tab.page.say("pageshow");
  tab.socket.accept();
  assert.equal(tab.socket.last("hello").session, "s1");
  assert.equal(tab.socket.last("hello").feeds[FEED].offset, 10);
});

// --- long poll ---

test("long poll from the start: hello in the first poll, the next presents the drawn position", async () => {
  tab = new Tab({ startWithPolling: true, baseUrl: "/sub" });
  tab.session.subscribe(FEED, tab.listener(FEED));
  tab.session.start();
  await settled();
  assert.equal(tab.sockets.length, 0);
  const { url, method, cache, body } = tab.net.poll;
  assert.deepEqual([url, method, cache], ["http://host:8097/sub/transport/poll", "POST", "no-store"]);
  assert.deepEqual([body.link, body.secret, body.messages.length, body.messages[0].type], [null, null, 1, "hello"]);
  await tab.net.poll.reply(
    WELCOME,
    subscribed(FEED, { offset: 3 }),
    batch(FEED, { to: 3, entries: [value("a", 3, pane("a1"))], keys: ["a"] }),
  );
  assert.deepEqual([tab.state.phase, tab.state.link], ["live", "poll"]);
  assert.equal(tab.net.poll, undefined, "the next poll waits for the drawing");
  await tab.screen.draw();
  assert.deepEqual(tab.net.poll.body, {
    link: "l1",
    secret: "secret1",
    wait_s: 10,
    feeds: { [FEED]: { epoch: "e1", offset: 3 } },
    messages: [],
  });
  await tab.time.pass(600_000);
  assert.equal(tab.sockets.length, 0, "no upgrade when the server asked for polling");
});

test("long poll: an empty reply is a sign of life and is followed by the next poll", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const sends = tab.net.requests.filter(({ url }) => url.endsWith("/send")).length;
  for (let i = 0; i < 10; i++) {
    await tab.time.pass(9_900);
    await tab.net.poll.reply();
    assert.equal(tab.net.open("/transport/poll").length, 1);
  }
  assert.equal(tab.state.phase, "live");
  assert.equal(tab.net.requests.filter(({ url }) => url.endsWith("/send")).length, sends, "a held poll is no reason to ping");
});

test("long poll: a lost reply costs nothing, the old position is presented again", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.fail();
  assert.equal(tab.state.phase, "waiting");
  await tab.time.pass(500);
  const [hello] = tab.net.poll.body.messages;
  assert.deepEqual([hello.session, hello.feeds[FEED].offset], ["s1", 10]);
  assert.deepEqual(tab.net.poll.body.feeds, hello.feeds);
});

test("long poll: commands and answers travel beside the poll, one request at a time", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const one = tab.session.command({ cmd: "one" });
  tab.session.command({ cmd: "two" });
  await settled();
  tab.session.command({ cmd: "three" });
  await settled();
  assert.equal(tab.net.open("/transport/send").length, 1);
  assert.deepEqual(
    tab.net.send.body.messages.map(({ id }) => id),
    [1, 2],
  );
  assert.deepEqual([tab.net.send.body.link, tab.net.send.body.secret], ["l1", "secret1"]);
  await tab.net.send.reply({ type: "reply", id: 1, error: null, result: 1 }, { type: "reply", id: 2, error: null, result: 2 });
  assert.equal((await one).result, 1);
  assert.deepEqual(
    tab.net.send.body.messages.map(({ id }) => id),
    [3],
  );
  assert.equal(tab.net.open("/transport/poll").length, 1);
});

test("long poll: new subscriptions replace the held poll, all in one", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const { poll } = tab.net;
  tab.session.subscribe("shared", tab.listener("shared"));
  tab.session.subscribe("env/x", tab.listener("env/x"));
  tab.session.unsubscribe("env/x");
  await settled();
  assert.equal(poll.signal.aborted, true);
  assert.equal(tab.net.open("/transport/poll").length, 1);
  assert.deepEqual(tab.net.poll.body.feeds, { [FEED]: { epoch: "e1", offset: 10 }, shared: null });
  assert.equal(tab.net.send, undefined);
  await tab.net.poll.reply(
    subscribed("shared"),
    batch("shared", { to: 1, entries: [value("envs", 1, ["main"])], keys: ["envs"] }),
  );
  await tab.screen.draw();
  assert.deepEqual(
    tab.heard.map(({ type }) => type),
    ["subscribed", "changes"],
  );
  assert.deepEqual(tab.net.poll.body.feeds.shared, { epoch: "e1", offset: 1 });
  assert.equal(tab.state.phase, "live");
});

test("long poll: a subscription while the page draws waits for the next poll", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply(batch(FEED, { from: 10, to: 11, entries: [value("a", 11, 1)] }));
  tab.session.subscribe("shared", {});
  await settled();
  assert.equal(tab.net.poll, undefined);
  await tab.screen.draw();
  assert.deepEqual(Object.keys(tab.net.poll.body.feeds), [FEED, "shared"]);
});

test("long poll: after a gap the next poll asks, nothing else does", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply(batch(FEED, { from: 10, to: 11, entries: [delta("a", 10, 11, ["append", ["x"], "no"])] }));
  await tab.screen.draw();
  assert.deepEqual(tab.net.poll.body.feeds[FEED], { epoch: "", offset: -1, have: { b: "b1" } });
  assert.equal(tab.net.send, undefined);
  await tab.net.poll.reply(
    subscribed(FEED, { offset: 11, reason: "epoch" }),
    batch(FEED, { to: 11, entries: [value("a", 11, pane("a2"))], keys: ["a", "b"] }),
  );
  assert.equal(tab.session.replica(FEED).synced, true);
});

test("long poll: a catch-up in parts presents what is ahead", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply(batch(FEED, { from: 10, to: 20, complete: false, entries: [value("a", 15, pane("a2"))] }));
  await tab.screen.draw();
  assert.deepEqual(tab.net.poll.body.feeds[FEED], { epoch: "e1", offset: 10, part: 1, ahead: { a: 15 } });
});

test("long poll: a close message ends the chain with its code", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply({ type: "close", code: 4003, reason: "unknown_link" });
  assert.deepEqual([tab.state.phase, tab.state.code], ["waiting", 4003]);
  await tab.time.pass(500);
  assert.equal(tab.net.poll.body.messages[0].type, "hello");
});

test("long poll: a page that is refused knows what would let it in", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply({ type: "close", code: 4053, reason: "origin", message: "set THIS" });
  assert.deepEqual([tab.state.phase, tab.state.code, tab.state.reason], ["stopped", 4053, "set THIS"]);
});

test("long poll: another tab took the session", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply({ type: "close", code: 4000, reason: "replaced" });
  await tab.time.pass(500);
  assert.equal(tab.net.poll.body.messages[0].session, null);
});

test("long poll: a poll that is never answered is given up", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const poll = tab.net.poll;
  await tab.time.pass(15_000);
  await tab.net.send.reply({ type: "pong" });
  await tab.time.pass(5_000);
  assert.equal(poll.signal.aborted, true);
  assert.equal(tab.state.code, 4002);
});

test("long poll: a large reply on a slow way is alive as long as parts of it arrive", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const text = JSON.stringify({ messages: [batch(FEED, { from: 10, to: 11, entries: [value("a", 11, "äöü €".repeat(10))] })] });
  const bytes = Buffer.from(text);
  const send = await tab.net.poll.begin();
  for (let at = 0; at < bytes.length; at += 7) {
    await tab.time.pass(9_000);
    await send(bytes.subarray(at, at + 7));
  }
  assert.equal(tab.state.phase, "live");
  await send();
  assert.equal(tab.session.replica(FEED).values.get("a"), "äöü €".repeat(10));
});

test("long poll: a reply that stops in the middle is given up", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const poll = tab.net.poll;
  const send = await poll.begin();
  await send('{"messages":');
  await tab.time.pass(11_000);
  assert.deepEqual([tab.state.code, poll.signal.aborted], [4002, true]);
});

test("long poll: going offline ends the held poll, its late answer is ignored", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  const { poll } = tab.net;
  tab.session.goOffline();
  assert.equal(poll.signal.aborted, true);
  await poll.reply(batch(FEED, { from: 10, to: 11, entries: [value("a", 11, "late")] }));
  assert.notEqual(tab.session.replica(FEED).values.get("a"), "late");
  assert.equal(tab.time.alarms, 0);
});

test("long poll: a page that does not draw holds no poll but stays alive by pings", async () => {
  tab = await new Tab({ startWithPolling: true }).polling();
  await tab.net.poll.reply(batch(FEED, { from: 10, to: 11, entries: [value("a", 11, 1)] }));
  assert.equal(tab.net.poll, undefined);
  for (let i = 0; i < 5; i++) {
    await tab.time.pass(15_000);
    assert.deepEqual(tab.net.send.body.messages, [{ type: "ping" }]);
    await tab.net.send.reply({ type: "pong" });
  }
  assert.equal(tab.state.phase, "live");
  await tab.screen.draw();
  assert.equal(tab.net.poll.body.feeds[FEED].offset, 11);
});

// --- fallback and upgrade ---

/** The WebSocket opens and says nothing: live on polls instead. */
async function fallenBack() {
  await tab.live();
  await tab.time.pass(6_000);
  await tab.socket.say({ type: "ping" });
  await tab.socket.cut();
  await tab.time.pass(500);
  tab.socket.accept();
  await tab.time.pass(5_000);
  await tab.net.poll.reply({ ...WELCOME, resumed: true, link: "l2" }, subscribed(FEED, { offset: 10, recovered: true }));
  await tab.net.send.reply({ type: "pong" });
}

test("a WebSocket that opens but does not deliver: polling at once, with session and positions", async () => {
  await tab.live();
  await tab.socket.cut();
  await tab.time.pass(250);
  tab.socket.accept();
  await tab.time.pass(5_000);
  const [hello] = tab.net.poll.body.messages;
  assert.deepEqual([hello.session, hello.feeds[FEED].offset], ["s1", 10]);
  await tab.net.poll.reply({ ...WELCOME, resumed: true }, subscribed(FEED, { offset: 10, recovered: true }));
  assert.deepEqual([tab.state.phase, tab.state.link], ["live", "poll"]);
  assert.equal(tab.net.poll.body.feeds[FEED].offset, 10);
});

test("a WebSocket that does not open: a poll is tried after two failures, and the WebSocket again if that fails too", async () => {
  tab.session.start();
  await tab.socket.cut();
  await tab.retry();
  assert.equal(tab.sockets.length, 2);
  await tab.socket.cut();
  await tab.retry();
  assert.equal(tab.sockets.length, 2);
  await tab.net.poll.fail();
  await tab.retry();
  assert.equal(tab.sockets.length, 3, "the server is away: the WebSocket is not to blame");
  assert.equal(tab.localStorage.items.size, 0);
});

test("links that were good do not add up to a fallback", async () => {
  await tab.live();
  for (let cut = 0; cut < 10; cut++) {
    await tab.time.pass(5_000);
    await tab.socket.say({ type: "ping" });
    await tab.socket.cut();
    await tab.time.pass(250);
    await tab.welcome();
  }
  assert.equal(tab.net.requests.length, 0);
});

test("coded closes show that the path delivers", async () => {
  await tab.live();
  for (let cut = 0; cut < 10; cut++) {
    await tab.socket.cut(4001);
    await tab.retry();
    tab.socket.accept();
  }
  assert.equal(tab.net.requests.length, 0);
});

test("a failing probe proves a blocked path: remembered for new pages, until it expires", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  assert.equal(tab.sockets.length, 3);
  await tab.socket.cut();
  assert.equal(tab.state.link, "poll");
  tab.session.close();

  tab.open();
  tab.session.start();
  await settled();
  assert.equal(tab.sockets.length, 3);
  assert.equal(tab.net.poll.body.messages[0].type, "hello");
  tab.session.close();

  await tab.time.pass(600_000);
  tab.open();
  tab.session.start();
  assert.equal(tab.sockets.length, 4);
});

test("upgrade: a probe that is welcomed takes over from the poll, from the same position", async () => {
  await fallenBack();
  const { poll } = tab.net;
  const returned = tab.state.lastReturn;
  await tab.time.pass(3_750);
  tab.socket.accept();
  assert.equal(tab.socket.last("hello").session, "s1");
  await tab.socket.say({ ...WELCOME, resumed: true });
  assert.deepEqual([tab.state.phase, tab.state.link], ["live", "websocket"]);
  assert.equal(tab.state.lastReturn, returned, "nobody was away");
  assert.equal(poll.signal.aborted, true);
  assert.equal(tab.socket.last("subscribe"), undefined);
  await tab.socket.say(
    subscribed(FEED, { offset: 11, recovered: true }),
    batch(FEED, { from: 10, to: 11, entries: [delta("a", 10, 11, ["extend", ["x"], [2]])] }),
  );
  assert.deepEqual(tab.session.replica(FEED).values.get("a").x, [1, 2]);
  assert.equal(tab.localStorage.items.size, 0);
  await tab.time.pass(600);
  assert.equal(tab.time.alarms, 1, "the heartbeat");
});

test("upgrade: what the poll delivered after the probe's hello is not applied twice", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  tab.socket.accept();
  await tab.net.poll.reply(batch(FEED, { from: 10, to: 11, entries: [delta("a", 10, 11, ["extend", ["x"], [2]])] }));
  tab.heard = [];
  await tab.socket.say(
    { ...WELCOME, resumed: true },
    subscribed(FEED, { offset: 12, recovered: true }),
    batch(FEED, { from: 10, to: 12, entries: [delta("a", 10, 12, ["extend", ["x"], [2, 3]])] }),
  );
  assert.deepEqual(tab.socket.last("subscribe").position, { epoch: "e1", offset: 11, have: { a: "a1", b: "b1" } });
  await tab.socket.say(
    subscribed(FEED, { offset: 12, recovered: true }),
    batch(FEED, { from: 11, to: 12, entries: [delta("a", 11, 12, ["extend", ["x"], [3]])] }),
  );
  assert.deepEqual(tab.session.replica(FEED).values.get("a").x, [1, 2, 3]);
  assert.deepEqual(
    tab.heard.map(({ type }) => type),
    ["subscribed", "changes"],
    "no gap, no snapshot",
  );
});

test("upgrade: our own probe replaces our poll, which is no reason to drop the identity", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  tab.socket.accept();
  await tab.net.poll.reply({ type: "close", code: 4000, reason: "replaced" });
  assert.equal(tab.session.id, "s1");
  await tab.socket.say({ ...WELCOME, resumed: true });
  assert.deepEqual([tab.state.phase, tab.state.link, tab.session.id], ["live", "websocket", "s1"]);
});

test("upgrade: a mute probe that ended the poll: polls again at once, as the same session", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  tab.socket.accept();
  await tab.net.poll.reply({ type: "close", code: 4000, reason: "replaced" });
  await tab.time.pass(5_000);
  assert.notEqual(tab.socket.closed, null);
  const [hello] = tab.net.poll.body.messages;
  assert.deepEqual([hello.type, hello.session, hello.feeds[FEED].offset], ["hello", "s1", 10]);
});

test("upgrade: the poll is ended late, after the probe was given up", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  tab.socket.accept();
  await tab.time.pass(5_000);
  await tab.net.poll.reply({ type: "close", code: 4000, reason: "replaced" });
  await settled();
  assert.equal(tab.net.poll.body.messages[0].session, "s1");
});

test("upgrade: a late welcome of a probe that was given up is ignored", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  tab.socket.accept();
  const { onmessage } = tab.socket;
  await tab.time.pass(5_000);
  onmessage({ data: JSON.stringify(WELCOME) });
  assert.equal(tab.state.link, "poll");
});

test("upgrade: probes come ever more rarely, but within a minute of each other", async () => {
  await fallenBack();
  tab.random = 0;
  const gaps = [];
  let before = tab.time.now();
  for (let probe = 3; probe <= 12; probe++) {
    while (tab.sockets.length < probe) {
      await tab.time.pass(250);
      if (tab.net.poll !== undefined && tab.time.now() % 5_000 === 0) {
        await tab.net.poll.reply();
      }
    }
    gaps.push(tab.time.now() - before);
    before = tab.time.now();
    await tab.socket.cut();
  }
  assert.ok(
    gaps.every((gap, index) => index === 0 || gap >= gaps[index - 1] - 2_500),
    String(gaps),
  );
  assert.ok(gaps.at(-1) <= 55_000 && gaps.at(-1) > 40_000, String(gaps));
});

test("upgrade: going offline ends the probe too", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  tab.session.goOffline();
  await settled();
  assert.notEqual(tab.socket.closed, null);
  assert.equal(tab.time.alarms, 0);
});

test("upgrade: the loss of the poll ends the probe, and the next attempt is a poll", async () => {
  await fallenBack();
  await tab.time.pass(3_750);
  await tab.net.poll.fail();
  assert.notEqual(tab.socket.closed, null);
  await tab.time.pass(500);
  assert.equal(tab.net.poll.body.messages[0].type, "hello");
});

// --- credit ---

test("the window follows drawing and the round trip", async () => {
  await tab.live();
  const ping = async (ms) => {
    await tab.time.pass(ms);
    await tab.socket.say({ type: "pong" });
  };
  const draw = async (ms) => {
    await tab.socket.say(batch(FEED, { from: tab.session.replica(FEED).offset, to: tab.session.replica(FEED).offset + 1 }));
    await tab.time.pass(ms);
    await tab.screen.draw();
  };
  await ping(200);
  const settle = async (ms) => {
    for (let i = 0; i < 60; i++) await draw(ms);
    await tab.time.pass(5_000);
    await draw(ms);
    await ping(200);
    return tab.socket.last("credit").window;
  };
  assert.equal(await settle(105), 3);
  assert.equal(await settle(42), 6);
  assert.equal(tab.state.roundTripMs, 200);
});

test("a page opened in the background takes nothing before it is shown", async () => {
  tab.page.hidden = true;
  tab.session.subscribe(FEED, {});
  tab.session.start();
  await tab.welcome();
  assert.equal(tab.socket.last("hello").window, 0);
  await tab.page.say("visible");
  assert.deepEqual(tab.socket.last("credit"), { type: "credit", window: 4 });
});

test("a page that is hidden between hello and welcome says so", async () => {
  tab.session.start();
  await tab.page.say("hidden");
  await tab.welcome();
  assert.deepEqual(tab.socket.last("credit"), { type: "credit", window: 0 });
});

test("a hidden page goes on polling, without credit", async () => {
  tab.options.startWithPolling = true;
  tab.open();
  await tab.polling();
  await tab.net.poll.reply(batch(FEED, { from: 10, to: 11 }));
  assert.equal(tab.net.poll, undefined);
  await tab.page.say("hidden");
  assert.deepEqual(tab.net.send.body.messages, [{ type: "credit", window: 0 }]);
  await tab.net.send.reply();
  assert.equal(tab.net.poll.body.feeds[FEED].offset, 11);
  await tab.net.poll.reply();
  assert.ok(tab.net.poll);
  await tab.page.say("visible");
  assert.ok(tab.net.send.body.messages.some(({ type, window }) => type === "credit" && window > 0));
});

test("tells when the newest change came, also of a link that is gone", async () => {
  assert.equal(tab.session.state.changedAt, null);
  await tab.live();
  await tab.time.pass(500);
  await tab.socket.say(batch(FEED, { from: 10, to: 11 }));
  const came = tab.time.now();
  assert.equal(tab.state.changedAt, came);
  await tab.time.pass(2_000);
  await tab.socket.cut();
  assert.equal(tab.state.changedAt, came);
});

test("tells how far the page is behind", async () => {
  await tab.live();
  assert.deepEqual([tab.state.behindMs, tab.state.behindChanges], [0, 0]);
  await tab.socket.say(
    { type: "pong", behind: 7 },
    batch(FEED, { from: 10, to: 15, entries: [delta("a", 5, 15, ["extend", ["x"], [2]])] }),
  );
  await tab.time.pass(3_000);
  await tab.socket.say(batch(FEED, { from: 15, to: 16 }));
  assert.deepEqual([tab.state.behindMs, tab.state.behindChanges, tab.state.conflated], [3_000, 13, 5]);
  await tab.screen.draw();
  assert.deepEqual([tab.state.behindMs, tab.state.behindChanges], [0, 0]);
});

test("tells how long it was away when it came back", async () => {
  await tab.live();
  assert.equal(tab.state.lastReturn, null);
  await tab.time.pass(1_000);
  await tab.socket.cut();
  await tab.retry();
  await tab.time.pass(500);
  await tab.welcome({ resumed: true });
  const { awayMs, resumed } = tab.state.lastReturn;
  assert.equal(resumed, true);
  assert.ok(awayMs >= 1_500 && awayMs < 3_000, `${awayMs} ms`);
});

test("when the machine wakes up, the link is checked at once", async () => {
  await tab.live();
  await tab.time.pass(1_000);
  const before = tab.socket.told("ping").length;
  await tab.page.say("wake");
  assert.equal(tab.socket.told("ping").length, before + 1);
  await tab.time.pass(3_000);
  assert.equal(tab.state.phase, "waiting");
});

test("a page that begins to poll in the background takes what the first poll brings, and nothing more", async () => {
  tab.options.startWithPolling = true;
  tab.open();
  tab.page.hidden = true;
  await tab.polling();
  const said = tab.net.requests.flatMap(({ body }) => body.messages);
  assert.deepEqual(
    said.filter(({ type }) => type === "credit"),
    [{ type: "credit", window: 0 }],
  );
});
