import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Choice } from "../src/connecting/choice.js";
import { Memo } from "../src/storage.js";
import { FakeStorage } from "./fakes.js";

let now, storage, choice;
const make = (options = {}) => new Choice({ memo: new Memo(() => storage, "k"), now: () => now, alwaysPoll: false, ...options });

beforeEach(() => {
  now = 0;
  storage = new FakeStorage();
  choice = make();
});

const refused = { opened: false, welcomed: false, silent: false };

test("a WebSocket first, a poll after two failures", () => {
  assert.equal(choice.next(), "websocket");
  choice.failed(refused);
  assert.equal(choice.next(), "websocket");
  choice.failed(refused);
  assert.equal(choice.next(), "poll");
});

test("one mute WebSocket is enough", () => {
  choice.failed({ opened: true, welcomed: false, silent: true });
  assert.equal(choice.next(), "poll");
});

test("links cut soon after their welcome count a quarter", () => {
  for (let i = 0; i < 7; i++) {
    choice.failed({ opened: true, welcomed: true, silent: false });
    assert.equal(choice.next(), "websocket");
  }
  choice.failed({ opened: true, welcomed: true, silent: false });
  assert.equal(choice.next(), "poll");
});

test("a failed poll clears the WebSocket of blame", () => {
  choice.blocked();
  choice.pollFailed({ answered: false });
  assert.equal(choice.next(), "websocket");
  assert.equal(make().next(), "websocket");
});

test("what answers polls in the server's place is asked by every other attempt, and by each while WebSockets are known to be blocked", () => {
  choice.failed(refused);
  choice.failed(refused);
  for (let i = 0; i < 3; i++) {
    assert.equal(choice.next(), "poll");
    choice.pollFailed({ answered: true });
    assert.equal(choice.next(), "websocket");
    choice.failed(refused);
  }
  choice.blocked();
  choice.pollFailed({ answered: true });
  assert.deepEqual([choice.next(), make().next()], ["poll", "poll"]);
  now = 600_000;
  assert.equal(choice.next(), "websocket");
});

test("a blocked path is remembered by other tabs for ten minutes", () => {
  choice.blocked();
  assert.equal(make().next(), "poll");
  now = 600_000;
  assert.equal(make().next(), "websocket");
});

test("a WebSocket that delivers ends the memory", () => {
  choice.blocked();
  choice.delivered();
  assert.deepEqual([choice.next(), make().next()], ["websocket", "websocket"]);
});

test("nonsense in the storage is no choice", () => {
  for (const text of ["", "{", "null", '{"pollUntil": "never"}', "[]"]) {
    storage.setItem("k", text);
    assert.equal(make().next(), "websocket");
  }
});

test("polling only: nothing to upgrade to", () => {
  choice = make({ alwaysPoll: true });
  assert.deepEqual([choice.next(), choice.upgrades], ["poll", false]);
});
