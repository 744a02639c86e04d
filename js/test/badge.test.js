import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Badge, describe, TEXTS } from "../src/badge.js";

const state = { phase: "live", link: "websocket", attempt: 0, nextAttemptAt: null, code: null, reason: null, lastHeardAt: 100_000 };

class FakeElement {
  children = [];
  attributes = {};
  textContent = "";
  className = "";
  #listeners = {};
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  addEventListener(type, listener) {
    this.#listeners[type] = listener;
  }
  click() {
    this.#listeners.click();
  }
  append(...children) {
    this.children.push(...children);
  }
  attachShadow() {
    return (this.shadow = new FakeElement());
  }
}

let now, timers, badge, button, live, hurried, pending;
beforeEach(() => {
  [now, timers, hurried, pending] = [100_000, new Map(), 0, 0];
  const document = { createElement: () => new FakeElement(), body: new FakeElement() };
  badge = new Badge({
    document,
    onhurry: () => hurried++,
    pendingCommands: () => pending,
    now: () => now,
    setTimer(run, ms) {
      const timer = {};
      timers.set(timer, [now + ms, run]);
      return timer;
    },
    clearTimer: (timer) => timers.delete(timer),
  });
  [, live, button] = badge.element.shadow.children;
  assert.deepEqual(document.body.children, [badge.element]);
});

/** Lets the clock go on and runs the timers due. */
function pass(ms) {
  for (const end = now + ms; ; ) {
    const [timer, [at, run] = [Infinity]] = [...timers].sort(([, [a]], [, [b]]) => a - b)[0] ?? [];
    if (at > end) {
      now = end;
      return;
    }
    now = at;
    timers.delete(timer);
    run();
  }
}
const visible = () => button.className !== "hidden" && button.textContent;

test("says nothing when live over a WebSocket, and rests", () => {
  badge.show(state);
  assert.equal(visible(), false);
  assert.equal(timers.size, 0);
});

test("counts down, tells the age of the data, and what waits to be sent", () => {
  badge.show({ ...state, phase: "waiting", link: null, nextAttemptAt: 103_000 });
  assert.equal(visible(), "reconnecting in 3 s");
  pass(2_000);
  assert.equal(visible(), "reconnecting in 1 s");
  pending = 2;
  pass(5_000);
  assert.equal(visible(), "reconnecting · data is 7 s old · 2 actions wait to be sent");
  assert.equal(live.textContent, "reconnecting", "the countdown is not read out");
  assert.deepEqual(live.attributes, { role: "status", "aria-live": "polite" });
});

test("a click while waiting tries at once, else nothing", () => {
  badge.show({ ...state, phase: "waiting", nextAttemptAt: 103_000 });
  button.click();
  badge.show({ ...state, phase: "connecting" });
  button.click();
  assert.equal(hurried, 1);
});

test("says resumed for a while and fades out with its words", () => {
  badge.show({ ...state, phase: "waiting", nextAttemptAt: 100_000 });
  badge.show({ ...state, resumed: true });
  assert.equal(visible(), TEXTS.resumed());
  pass(10_000);
  assert.equal(button.className, "hidden");
  assert.equal(button.textContent, TEXTS.resumed());
  assert.equal(live.textContent, "");
  assert.equal(timers.size, 0);
});

test("a session the server did not know is reconnected, not resumed", () => {
  badge.show({ ...state, phase: "waiting" });
  badge.show({ ...state, resumed: false });
  assert.equal(visible(), TEXTS.reconnected());
});

test("a notice stands beside what the link says", () => {
  badge.show({ ...state, link: "poll" });
  badge.notice(TEXTS.lost(2));
  assert.equal(visible(), "server restarted: state lost (2 windows) · polling");
  pass(10_000);
  assert.equal(visible(), "polling");
});

test("the first connection needs no words unless it takes long", () => {
  badge.show({ ...state, phase: "connecting", lastHeardAt: null });
  assert.equal(visible(), false);
  pass(2_000);
  assert.equal(visible(), "connecting");
  badge.show(state);
  assert.equal(visible(), false);
});

test("names the other phases", () => {
  const say = (changes, at = 100_000) => describe({ ...state, link: null, ...changes }, at).text;
  assert.equal(say({ phase: "offline" }), "offline (click the button to reconnect)");
  assert.equal(say({ phase: "offline" }, 100_000 + 3 * 3_600_000), "offline (click the button to reconnect) · data is 3 h old");
  assert.equal(say({ phase: "offline" }, 100_000 + 150_000), "offline (click the button to reconnect) · data is 2 min old");
  assert.equal(say({ phase: "stopped", code: 4050 }), "disconnected: reload the page to log in");
  assert.equal(say({ phase: "stopped", code: 4053, reason: "origin" }), "disconnected: origin");
  assert.equal(say({ phase: "connecting" }), "reconnecting");
});
