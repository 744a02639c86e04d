// After hundreds of reconnects a page holds what it held after the first, and nothing once its session is closed.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Session } from "../src/session.js";
import {
  batch,
  FakeFetch,
  FakePage,
  FakeScreen,
  FakeSocket,
  FakeTime,
  sessionOptions,
  settled,
  subscribed,
  WELCOME,
} from "./fakes.js";

const TIMES = 200;
const FEED = "env/main";
const CALLBACKS = ["onopen", "onmessage", "onclose", "onerror"];

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** Every AbortController there is, to see who listens to it. @type {AbortController[]} */
let controllers;
const Native = globalThis.AbortController;
globalThis.AbortController = class extends Native {
  constructor() {
    super();
    controllers.push(this);
  }
};

let time;
let page;
let net;
let screen;
let session;

beforeEach(() => {
  controllers = [];
  FakeSocket.made = [];
  time = new FakeTime();
  page = new FakePage();
  net = new FakeFetch();
  screen = new FakeScreen();
});

function begin(options = {}) {
  session = new Session(sessionOptions({ net, screen, time, page, onerror: assert.fail, ...options }));
  session.subscribe(FEED, {});
  session.start();
}

const opening = (to) => [
  WELCOME,
  subscribed(FEED, { offset: to }),
  batch(FEED, { from: to - 1, to, entries: [{ key: "a", offset: to, value: to }], keys: ["a"] }),
];

async function liveOnSocket(number) {
  const socket = FakeSocket.made.at(-1);
  socket.accept();
  await socket.say(...opening(number));
  await screen.draw();
  return socket;
}

/** A link that never lives for long would be given up for polls. */
async function stay(socket) {
  for (let number = 0; number < 5; number++) {
    await time.pass(4_000);
    await socket.say({ type: "ping" }, { type: "pong" });
  }
}

async function liveOnPolls(number) {
  await settled();
  await net.poll.reply(...opening(number));
  await net.send?.reply({ type: "pong" });
  await screen.draw();
}

/** The engine may still hold the last one, on a stack that nobody has overwritten. @param {WeakRef<any>[]} references */
async function assertCollected(references) {
  await settled();
  collectGarbage();
  assert.ok(references.filter((reference) => reference.deref() !== undefined).length <= 1);
}

const retry = () => time.pass(session.state.nextAttemptAt - time.now());
const held = () => ({
  alarms: time.alarms,
  listeners: page.listeners.size,
  requests: net.open("").length,
  aborts: listening(),
  frames: screen.waiting.length,
});
/** How many listen to the one that most listen to: that of a link, which each of its requests listens to. */
const listening = () =>
  Math.max(0, ...controllers.map(({ signal }) => (signal.aborted ? 0 : getEventListeners(signal, "abort").length)));
const callbacks = (socket) => CALLBACKS.filter((name) => socket[name] !== null);

test("reconnecting over WebSockets", async () => {
  begin();
  await liveOnSocket(1);
  const before = held();
  for (let number = 2; number < TIMES; number++) {
    const socket = FakeSocket.made.at(-1);
    await stay(socket);
    if (number % 3 === 0) {
      // Nothing is heard: the session gives it up, and it never closes.
      await time.pass(21_000);
    } else {
      await socket.cut();
    }
    await retry();
    assert.deepEqual(callbacks(socket), []);
    await liveOnSocket(number);
    assert.deepEqual(held(), before);
  }
  session.close();
  assert.deepEqual([held().alarms, held().listeners, held().requests], [0, 0, 0]);
  assert.deepEqual(FakeSocket.made.flatMap(callbacks), []);
});

test("connecting to nothing", async () => {
  begin();
  await FakeSocket.made.at(-1).cut();
  const before = held();
  for (let number = 0; number < TIMES; number++) {
    await retry();
    await (net.poll?.fail() ?? FakeSocket.made.at(-1).cut());
    assert.deepEqual(held(), before);
  }
  session.close();
  assert.deepEqual([held().alarms, held().listeners], [0, 0]);
});

test("polling, over one chain and over many", async () => {
  begin({ startWithPolling: true });
  await liveOnPolls(1);
  const before = held();
  for (let number = 2; number < TIMES; number++) {
    if (number % 10) {
      await net.poll.reply(batch(FEED, { from: number - 1, to: number, entries: [{ key: "a", offset: number, value: number }] }));
      await net.send?.reply({ type: "pong" });
      await screen.draw();
    } else {
      await net.poll.fail();
      await retry();
      await liveOnPolls(number);
    }
    assert.deepEqual(held(), before, `after ${number}`);
  }
  session.close();
  await settled();
  assert.deepEqual([held().alarms, held().listeners, held().requests], [0, 0, 0]);
});

test("looking for a WebSocket in vain while polling", async () => {
  begin();
  for (const socket of FakeSocket.made) {
    await socket.cut();
  }
  while (net.poll === undefined) {
    await retry();
    await (net.poll === undefined ? FakeSocket.made.at(-1).cut() : settled());
  }
  await liveOnPolls(1);
  const before = held();
  const probes = FakeSocket.made.length;
  while (FakeSocket.made.length < probes + 50) {
    // An empty reply every now and then keeps the chain alive.
    await time.pass(5_000);
    await net.poll.reply();
    await net.send?.reply({ type: "pong" });
    const probe = FakeSocket.made.at(-1);
    if (probe.readyState === 0 && probe.closed === null) {
      await probe.cut();
    }
    assert.equal(session.state.link, "poll");
    assert.deepEqual({ ...held(), alarms: 0 }, { ...before, alarms: 0 });
    assert.ok(held().alarms <= before.alarms + 1);
  }
  session.close();
  await settled();
  assert.deepEqual([held().alarms, held().listeners, held().requests], [0, 0, 0]);
  assert.deepEqual(FakeSocket.made.flatMap(callbacks), []);
});

test("following one feed after another", async () => {
  begin();
  const socket = await liveOnSocket(1);
  const before = held();
  const replicas = [];
  for (let number = 0; number < TIMES; number++) {
    const feed = `env/${number}`;
    session.subscribe(feed, {});
    await socket.say(
      subscribed(feed, { offset: 1 }),
      batch(feed, { to: 1, entries: [{ key: "a", offset: 1, value: number }], keys: ["a"] }),
    );
    await screen.draw();
    replicas.push(new WeakRef(session.replica(feed)));
    session.unsubscribe(feed);
    assert.equal(session.replica(feed), undefined);
  }
  assert.deepEqual(held(), before);
  await assertCollected(replicas);
});

test("a session holds on to nothing of the links before", async () => {
  begin();
  await liveOnSocket(1);
  const sockets = [];
  for (let number = 2; number < 50; number++) {
    sockets.push(new WeakRef(FakeSocket.made.at(-1)));
    await stay(FakeSocket.made.at(-1));
    await FakeSocket.made.at(-1).cut();
    FakeSocket.made = [];
    await retry();
    await liveOnSocket(number);
  }
  await assertCollected(sockets);
  assert.equal(session.state.phase, "live");
});
