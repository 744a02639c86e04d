import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Heartbeat } from "../src/connecting/heartbeat.js";
import { FakeTime } from "./fakes.js";

let time, told, heartbeat;

beforeEach(() => {
  time = new FakeTime();
  told = [];
  heartbeat = new Heartbeat({
    time,
    intervalMs: 8_000,
    deadAfterMs: 20_000,
    ping: () => told.push("ping"),
    dead: () => told.push("dead"),
  });
});

test("silence: ping, then death", async () => {
  await time.pass(8_000);
  assert.deepEqual(told, ["ping"]);
  await time.pass(11_999);
  assert.deepEqual(told, ["ping"]);
  await time.pass(1);
  assert.deepEqual(told, ["ping", "dead"]);
  await time.pass(100_000);
  assert.deepEqual(told, ["ping", "dead"], "death is told once");
});

test("a sign of life postpones both", async () => {
  await time.pass(8_000);
  heartbeat.heard();
  await time.pass(12_000);
  assert.deepEqual(told, ["ping", "ping"], "the alarm for death becomes the one for the next ping");
  await time.pass(7_999);
  assert.deepEqual(told, ["ping", "ping"]);
  await time.pass(1);
  assert.deepEqual(told, ["ping", "ping", "dead"]);
});

test("a peer that talks but never pongs is pinged at intervals, not in a loop", async () => {
  for (let i = 0; i < 10; i++) {
    await time.pass(9_000);
    heartbeat.heard();
  }
  assert.ok(told.length <= 10, String(told.length));
});

test("a check: short deadline", async () => {
  heartbeat.check();
  heartbeat.check();
  assert.deepEqual(told, ["ping"]);
  await time.pass(3_000);
  assert.deepEqual(told, ["ping", "dead"]);
});

test("a check that is answered", async () => {
  heartbeat.check();
  await time.pass(2_000);
  heartbeat.heard();
  heartbeat.ponged();
  assert.equal(heartbeat.roundTripMs, 2_000);
  await time.pass(7_999);
  assert.deepEqual(told, ["ping"]);
  await time.pass(1);
  assert.deepEqual(told, ["ping", "ping"]);
});

test("an answer takes as long as the last one, or the one that is waited for", async () => {
  assert.equal(heartbeat.tripMs, 0);
  heartbeat.measure();
  await time.pass(1_500);
  assert.equal(heartbeat.tripMs, 1_500);
  heartbeat.ponged();
  heartbeat.measure();
  await time.pass(400);
  assert.equal(heartbeat.tripMs, 1_500);
  heartbeat.ponged();
  assert.equal(heartbeat.tripMs, 400);
});

test("an alarm that rings late starts a check instead of a verdict", async () => {
  await time.suspendMachine(3_600_000);
  assert.deepEqual(told, ["ping"]);
  await time.pass(3_000);
  assert.deepEqual(told, ["ping", "dead"]);
});

test("a check whose own alarm is late is made once more, then believed", async () => {
  heartbeat.check();
  await time.suspendMachine(60_000);
  assert.deepEqual(told, ["ping", "ping"]);
  await time.suspendMachine(60_000);
  assert.deepEqual(told, ["ping", "ping", "dead"]);
});

test("a wall clock that is set back delays nothing for longer than dead_after", async () => {
  time.setClock(-3_600_000);
  heartbeat.heard();
  await time.pass(40_000);
  assert.equal(told.at(-1), "dead");
});

test("a wall clock that is set forward starts a check", async () => {
  time.setClock(3_600_000);
  await time.pass(8_000);
  assert.deepEqual(told, ["ping"]);
  heartbeat.heard();
  await time.pass(7_999);
  assert.deepEqual(told, ["ping"]);
});

test("stopped: silence for good, even from within its own ping", async () => {
  heartbeat = new Heartbeat({
    time,
    intervalMs: 8_000,
    deadAfterMs: 20_000,
    ping: () => heartbeat.stop(),
    dead: () => told.push("dead"),
  });
  await time.pass(8_000);
  assert.equal(time.alarms, 1, "that of the other heartbeat");
  told = [];
  heartbeat.stop();
});

test("a link that is said to be dead before it is asked is asked first, and not without a pause", async () => {
  heartbeat.stop();
  const hasty = new Heartbeat({
    time,
    intervalMs: 8_000,
    deadAfterMs: 300,
    ping: () => told.push("ping"),
    dead: () => told.push("dead"),
  });
  hasty.measure();
  let rings = 0;
  const { setTimeout } = time;
  time.setTimeout = (callback, delayMs) => {
    rings += 1;
    assert.ok(rings < 100, "without a pause");
    return setTimeout(callback, delayMs);
  };
  await time.pass(20_000);
  assert.equal(told.at(-1), "dead");
});
