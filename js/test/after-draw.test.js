import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { afterDraw } from "../src/drawing/after-draw.js";
import { Session } from "../src/session.js";
import { batch, FakePage, FakeSocket, FakeStorage, FakeTime, subscribed, WELCOME } from "./fakes.js";

let page, time, frames, done, drawn;

beforeEach(() => {
  page = new FakePage();
  time = new FakeTime();
  frames = [];
  done = [];
  drawn = afterDraw({ page, time, requestAnimationFrame: (callback) => frames.push(callback) });
});

const frame = () => {
  for (const callback of frames.splice(0)) callback();
};

test("calls back after the frame and the task that follows it", async () => {
  drawn(() => done.push("a"));
  await time.pass(1_000);
  assert.deepEqual(done, []);
  frame();
  assert.deepEqual(done, []);
  await time.pass(0);
  assert.deepEqual(done, ["a"]);
});

test("one frame serves all that waits for it; what comes after it waits for the next", async () => {
  drawn(() => done.push("a"));
  drawn(() => done.push("b"));
  assert.equal(frames.length, 1);
  frame();
  drawn(() => done.push("c"));
  await time.pass(0);
  assert.deepEqual(done, ["a", "b"]);
  assert.equal(frames.length, 1);
  frame();
  await time.pass(0);
  assert.deepEqual(done, ["a", "b", "c"]);
});

test("a hidden page draws nothing until it is shown", async () => {
  page.hidden = true;
  drawn(() => done.push("a"));
  assert.equal(frames.length, 0);
  await page.say("visible");
  frame();
  await time.pass(0);
  assert.deepEqual(done, ["a"]);
});

test("a hidden tab takes nothing, answers pings for as long as it takes, and takes everything in one when shown", async () => {
  FakeSocket.made = [];
  const session = new Session({
    location: "http://host/",
    WebSocket: FakeSocket,
    time,
    page,
    drawn,
    sessionStorage: () => new FakeStorage(),
    localStorage: () => new FakeStorage(),
  });
  session.subscribe("env/main", {});
  session.start();
  const [socket] = FakeSocket.made;
  socket.accept();
  await socket.say(WELCOME, subscribed("env/main"), batch("env/main", { to: 0, keys: [] }));
  await page.say("hidden");
  assert.deepEqual(socket.sent.slice(-2), [
    { type: "credit", window: 0 },
    { type: "ack", batches: 1 },
  ]);
  const { length } = socket.sent;
  for (let minute = 0; minute < 10; minute++) {
    // Timers of hidden pages are throttled to one a minute; the server's pings are not.
    for (let i = 0; i < 6; i++) {
      time.suspendMachine(10_000);
      await socket.say({ type: "ping" });
    }
    await time.pass(0);
  }
  assert.equal(session.state.phase, "live");
  assert.equal(socket.told("pong").length, 60);
  assert.ok(JSON.stringify(socket.sent.slice(length)).length < 5_000);
  await page.say("visible");
  assert.deepEqual(socket.last("credit"), { type: "credit", window: 4 });
  await socket.say(batch("env/main", { from: 0, to: 120_000 }));
  frame();
  await time.pass(0);
  assert.deepEqual(socket.last("ack"), { type: "ack", batches: 2 });
});
