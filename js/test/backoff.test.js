import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../src/connecting/backoff.js";

test("full jitter: anything from nothing up to a bound that doubles, up to a maximum", () => {
  let random = 0;
  const backoff = new Backoff({ random: () => random, firstMs: 100, maxMs: 1_000 });
  assert.equal(backoff.next(), 0);
  random = 1;
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => backoff.next()),
    [200, 400, 800, 1_000, 1_000],
  );
  assert.equal(backoff.attempt, 6);
});

test("a link that lived too short does not reset the delays", () => {
  const backoff = new Backoff({ random: () => 1, firstMs: 100, minUptimeMs: 5_000 });
  backoff.next();
  backoff.up(0);
  backoff.down(4_999);
  assert.equal(backoff.next(), 200);
  backoff.up(10_000);
  backoff.down(15_000);
  assert.equal(backoff.next(), 100);
});

test("attempts that never came up do not count as uptime", () => {
  const backoff = new Backoff({ random: () => 1, firstMs: 100 });
  backoff.up(0);
  backoff.down(1_000);
  backoff.next();
  backoff.down(100_000);
  assert.equal(backoff.next(), 200);
});

test("late is later than every other delay", () => {
  const backoff = new Backoff({ random: () => 0, maxMs: 1_000 });
  assert.equal(backoff.late(), 1_000);
});
