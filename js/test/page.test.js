import assert from "node:assert/strict";
import { test } from "node:test";

import { watchSleep } from "../src/page.js";
import { FakeTime } from "./fakes.js";

test("a machine that slept is noticed, a busy page is not taken for one", async () => {
  const time = new FakeTime();
  let woken = 0;
  const end = watchSleep(time, () => (woken += 1));
  await time.pass(60_000);
  await time.suspendMachine(5_000);
  assert.equal(woken, 0);
  await time.suspendMachine(3_600_000);
  assert.equal(woken, 1);
  await time.pass(60_000);
  assert.equal(woken, 1);
  end();
  assert.equal(time.alarms, 0);
});
