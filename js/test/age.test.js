import assert from "node:assert/strict";
import { test } from "node:test";

import { describePicture, pictureAge } from "../src/badge/age.js";

const NOW = 100_000;
/** A page with a link that works, which has just got a change. */
const well = {
  phase: "live",
  code: null,
  answer: null,
  lastHeardAt: NOW,
  unansweredMs: 0,
  source: null,
  tripMs: 40,
  behindMs: 16,
  changedAt: NOW - 100,
};
const age = (changes, online = true) => pictureAge({ ...well, ...changes }, NOW, online);

test("a picture that is hardly a second old is up to date", () => {
  assert.deepEqual(age({}), [0, null]);
  assert.deepEqual(age({ behindMs: 999, tripMs: 999, changedAt: NOW - 999 }), [0, null]);
  assert.deepEqual(age({ lastHeardAt: NOW - 30_000, changedAt: NOW }), [0, null], "silence on a quiet link is no age");
  assert.equal(describePicture(well, NOW, true), "up to date");
});

test("before anything came there is no picture", () => {
  assert.deepEqual(age({ phase: "connecting", lastHeardAt: null, changedAt: null }), [0, null]);
  assert.deepEqual(age({ changedAt: null }), [0, null]);
});

test("where nothing is new, nothing is wrong", () => {
  assert.deepEqual(age({ changedAt: NOW - 34_000 }), [34_000, "noNews"]);
  assert.equal(describePicture({ ...well, changedAt: NOW - 34_000 }, NOW, true), "34 s old: nothing new since");
});

test("the browser, the network or the server holds it up", () => {
  assert.deepEqual(age({ behindMs: 3_200 }), [3_200, "browser"]);
  assert.deepEqual(age({ tripMs: 2_500 }), [2_500, "slow"]);
  const silent = { unansweredMs: 1_200, lastHeardAt: NOW - 6_000 };
  assert.deepEqual(age(silent), [6_000, "silent"]);
  assert.deepEqual(age(silent, false), [6_000, "network"]);
  assert.deepEqual(age({ source: { url: "http://origin", here: false, heardAt: NOW - 9_000 } }), [9_000, "source"]);
  assert.deepEqual(age({ source: { url: "http://origin", here: true, heardAt: NOW - 9_000 } }), [0, null]);
});

test("what holds it up most is named, and goes before that nothing is new", () => {
  assert.deepEqual(age({ behindMs: 3_000, tripMs: 2_000, changedAt: NOW - 60_000 }), [3_000, "browser"]);
  assert.deepEqual(age({ behindMs: 2_000, tripMs: 3_000 }), [3_000, "slow"]);
});

test("without a link it is as old as what was heard last", () => {
  const away = { phase: "waiting", code: 1006, lastHeardAt: NOW - 12_000, changedAt: NOW - 60_000 };
  assert.deepEqual(age(away), [12_000, "away"]);
  assert.deepEqual(age(away, false), [12_000, "network"]);
  assert.deepEqual(age({ ...away, code: 4001 }), [12_000, "server"]);
  assert.deepEqual(age({ ...away, answer: { what: "502", asksToSignIn: false } }), [12_000, "server"]);
  assert.deepEqual(age({ ...away, phase: "stopped", code: 4050 }), [12_000, "refused"]);
  assert.deepEqual(age({ ...away, phase: "offline" }), [12_000, "user"]);
  assert.deepEqual(age({ ...away, lastHeardAt: NOW - 500 }), [0, null]);
});
