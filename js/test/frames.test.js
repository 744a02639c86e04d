import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Frames } from "../src/bundle/frames.js";
import { whileVisible } from "../src/drawing/after-draw.js";
import { FakePage, FakeTime } from "./fakes.js";

let done, tasks, requested, draws, renders, page, frames;

beforeEach(() => {
  done = [];
  tasks = new FakeTime();
  requested = [];
  draws = [];
  renders = true;
  page = new FakePage();
  const requestFrame = (run) => requested.push(run);
  frames = new Frames({
    soon: whileVisible({ page, time: tasks, requestAnimationFrame: requestFrame }),
    requestFrame,
    afterDraw: (callback) => draws.push(callback),
    flush: () => {
      done.push("flush");
      return true;
    },
    process: () => renders,
  });
});

const task = () => tasks.pass(0);
const frame = () => {
  for (const run of requested.splice(0)) run();
};
const drawn = () => {
  for (const run of draws.splice(0)) run();
};

test("what comes to a page that has nothing to draw is delivered in the next task, without waiting for a frame", async () => {
  frames.schedule();
  frames.schedule();
  assert.deepEqual(done, []);
  await task();
  assert.deepEqual(done, ["flush"]);
});

test("what comes while the bundle draws is delivered with a frame after that", async () => {
  frames.schedule();
  await task();
  frames.schedule();
  await task();
  assert.deepEqual(done, ["flush"]);
  frame();
  drawn();
  await task();
  assert.deepEqual(done, ["flush"]);
  frame();
  assert.deepEqual(done, ["flush", "flush"]);
  drawn();
  frames.schedule();
  await task();
  assert.deepEqual(done, ["flush", "flush", "flush"]);
});

test("it counts as drawn after the frame that follows the next: the bundle draws in tasks of its own", async () => {
  frames.schedule();
  frames.drawn(() => done.push("before"));
  await task();
  frames.drawn(() => done.push("after"));
  assert.equal(draws.length, 0);
  frame();
  drawn();
  assert.deepEqual(done, ["flush", "before", "after"]);
});

test("where nothing is delivered, nothing waits for its drawing", async () => {
  renders = false;
  frames.schedule();
  await task();
  frames.schedule();
  await task();
  assert.deepEqual(done, ["flush", "flush"]);
});

test("a hidden page is given nothing until it is shown", async () => {
  page.hidden = true;
  frames.schedule();
  await task();
  assert.deepEqual(done, []);
  page.hidden = false;
  frame();
  assert.deepEqual(done, ["flush"]);
});
