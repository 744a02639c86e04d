import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { BundleBatch } from "../src/bundle/batch.js";

let log, timers, batch;
beforeEach(() => {
  log = [];
  timers = { setTimeout: (run, ms, ...rest) => log.push(["timer", ms, ...rest]) };
  batch = new BundleBatch(timers);
});

test("the timer that a delivery sets is fired by process, and only then", () => {
  const native = timers.setTimeout;
  batch.collect(() => timers.setTimeout(() => log.push("processed"), 100));
  batch.collect(() => {});
  assert.equal(timers.setTimeout, native);
  assert.deepEqual(log, []);
  assert.equal(batch.process(), true);
  assert.deepEqual(log, ["processed"]);
  assert.equal(batch.process(), false);
});

test("the bundle sees a timer that it has", () => {
  batch.collect(() => assert.ok(timers.setTimeout(() => {}, 100)));
});

test("other timers are not touched", () => {
  batch.collect(() => timers.setTimeout(() => {}, 0, "argument"));
  timers.setTimeout(() => {}, 100);
  assert.deepEqual(log, [
    ["timer", 0, "argument"],
    ["timer", 100],
  ]);
});

test("a delivery that throws gives setTimeout back", () => {
  const native = timers.setTimeout;
  assert.throws(
    () =>
      batch.collect(() => {
        throw new Error("no");
      }),
    /no/,
  );
  assert.equal(timers.setTimeout, native);
});

test("an error of the bundle is reported and stops nothing", (t) => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  t.after(() => delete globalThis.reportError);
  batch.collect(() =>
    timers.setTimeout(() => {
      throw new Error("cannot draw");
    }, 100),
  );
  assert.equal(batch.process(), true);
  assert.deepEqual(reported, ["cannot draw"]);
});
