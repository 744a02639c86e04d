import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { Badge } from "../src/badge/badge.js";
import { describe, details } from "../src/badge/describe.js";
import { Indicator } from "../src/badge/indicator.js";
import { TEXTS } from "../src/badge/texts.js";

const state = {
  phase: "live",
  link: "websocket",
  attempt: 0,
  nextAttemptAt: null,
  code: null,
  reason: null,
  answer: null,
  lastHeardAt: 100_000,
  unansweredMs: 0,
  source: null,
  resumed: false,
  roundTripMs: null,
  tripMs: 0,
  changedAt: null,
  behindMs: 0,
  behindChanges: 0,
  conflated: 0,
  lastReturn: null,
};

class FakeElement {
  children = [];
  attributes = {};
  textContent = "";
  className = "";
  #listeners = {};
  set innerHTML(html) {
    throw new Error(`taken for HTML: ${html}`);
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  addEventListener(type, listener) {
    (this.#listeners[type] ??= []).push(listener);
  }
  dispatch(type, event = {}) {
    for (const listener of this.#listeners[type] ?? []) listener({ stopPropagation() {}, ...event });
  }
  click() {
    this.dispatch("click");
  }
  focus() {
    this.focused = true;
  }
  replaceChildren(...children) {
    this.children = children;
  }
  append(...children) {
    this.children.push(...children);
  }
  attachShadow() {
    return (this.shadow = new FakeElement());
  }
}

let now, timers, badge, button, live, panel, hurried, pending, kept, dismissed, signedIn;
beforeEach(() => {
  [now, timers, hurried, pending, kept, dismissed, signedIn] = [100_000, new Map(), 0, 0, null, 0, 0];
  const document = { createElement: () => new FakeElement(), body: new FakeElement(), URL: "http://server/env/main" };
  badge = new Badge({
    document,
    onhurry: () => hurried++,
    pendingCommands: () => pending,
    kept: () => kept,
    ondismiss: () => dismissed++,
    onsignin: () => signedIn++,
    now: () => now,
    setTimer(run, ms) {
      const timer = {};
      timers.set(timer, [now + ms, run]);
      return timer;
    },
    clearTimer: (timer) => timers.delete(timer),
  });
  [, live, button, panel] = badge.element.shadow.children;
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
const visible = () => button.className !== "quiet" && button.textContent;

test("is a dot when live over a WebSocket, that has a name", () => {
  badge.show(state);
  assert.equal(visible(), false);
  assert.equal(button.attributes["aria-label"], "visdom: live");
  assert.equal(live.textContent, "", "nobody needs to be told");
});

test("says how far the page is behind, with the state of the moment", () => {
  const document = { createElement: () => new FakeElement(), body: new FakeElement() };
  let current = state;
  const options = {
    document,
    now: () => now,
    setTimer: (run, ms) => timers.set({}, [now + ms, run]),
    clearTimer() {},
    read: () => current,
  };
  badge = new Badge(options);
  [, live, button, panel] = badge.element.shadow.children;
  badge.show(state);
  current = { ...state, behindMs: 3_200, behindChanges: 1_200 };
  pass(1_000);
  assert.deepEqual([visible(), live.textContent], ["behind by 3 s (1,200 changes)", "behind"]);
  current = state;
  pass(1_000);
  assert.equal(visible(), false);
});

test("is not called live while the server owes an answer", () => {
  const say = (unansweredMs) => describe({ ...state, unansweredMs }, 100_000);
  assert.equal(say(2_999).text, "live");
  assert.deepEqual(say(3_000), { text: "no answer for 3 s", spoken: "no answer", quiet: false });
  assert.equal(describe({ ...state, unansweredMs: 65_000, link: "poll" }, 100_000).text, "no answer for 1 min");
});

test("a click shows the details and takes them away, Escape as well", () => {
  badge.show({ ...state, roundTripMs: 12.4, conflated: 1 });
  assert.equal(panel.hidden, true);
  button.click();
  assert.deepEqual([panel.hidden, button.attributes["aria-expanded"]], [false, "true"]);
  const [list] = panel.children;
  assert.deepEqual(list.children.map(({ textContent }) => textContent).slice(0, 4), [
    "connection",
    "WebSocket",
    "round trip",
    "12 ms",
  ]);
  button.click();
  assert.deepEqual([panel.hidden, button.attributes["aria-expanded"]], [true, "false"]);
  button.click();
  badge.element.dispatch("keydown", { key: "Escape" });
  assert.deepEqual([panel.hidden, button.focused], [true, true]);
});

test("what others have chosen is text, never HTML", () => {
  const hostile = "<img src=x onerror=alert(1)>";
  badge.show({ ...state, phase: "stopped", link: null, code: 4099, reason: hostile });
  badge.notice(TEXTS.refused(hostile));
  assert.equal(visible(), `refused: ${hostile} · disconnected: ${hostile}`);
  button.click();
  assert.ok(panel.children[0].children.every(({ children }) => children.length === 0));
  assert.deepEqual(button.children, []);
});

test("no part of the runtime makes HTML of text", () => {
  const folder = new URL("../src/", import.meta.url);
  const paths = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".js"));
  assert.ok(paths.length > 20);
  for (const url of [...paths.map((path) => new URL(path, folder)), new URL("../ApiProvider.js", import.meta.url)]) {
    const found = /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|dangerouslySetInnerHTML|eval)\b/.exec(
      readFileSync(url, "utf8"),
    );
    assert.equal(found, null, `${url}: ${found?.[0]}`);
  }
});

test("details", () => {
  const say = (changes, plots = 0, sampled = null) =>
    Object.fromEntries(details({ ...state, ...changes }, { plots, drawn: 12, sampled }, 100_000, (ms) => `at ${ms}`));
  assert.deepEqual(say({}), {
    connection: "WebSocket",
    "round trip": "not known",
    picture: "up to date",
    drawing: "up to date",
    plots: "none",
    detail: "every point",
    "skipped for newer ones": "0 updates",
    "last reconnect": "none",
  });
  assert.equal(say({}, 1_200).plots, "12 of 1,200 drawn");
  assert.equal(say({}, 7, { plots: 2, points: 1_280 }).detail, "2 of 7 plots at up to 1 : 1,280, zoom for detail");
  assert.equal(say({ link: "poll" }).connection, "long polling");
  assert.equal(say({ phase: "waiting" }).connection, "none");
  assert.equal(say({ behindMs: 5_000 }).drawing, "behind by 5 s");
  assert.equal(say({ behindMs: 5_000 }).picture, "5 s old: your browser has not drawn what came since");
  assert.equal(say({ lastReturn: { at: 7, awayMs: 65_000, resumed: true } })["last reconnect"], "at 7, after 1 min, resumed");
  assert.equal(say({ lastReturn: { at: 7, awayMs: 500, resumed: false } })["last reconnect"], "at 7, after 0 s, new session");
});

test("details of a page that a relay serves", () => {
  const say = (source) => Object.fromEntries(details({ ...state, source }, { plots: 0, drawn: 0, sampled: null }, 100_000));
  const source = { url: "http://origin:8097", here: true, heardAt: 66_000 };
  assert.equal(say(source)["served by"], "a relay of http://origin:8097");
  assert.equal(say(source)["its source"], "there");
  assert.equal(say({ ...source, here: false })["its source"], "away, last heard 34 s ago");
  assert.equal("served by" in say(null), false);
});

test("a page whose relay has lost its source is not called live", () => {
  const source = { url: "http://origin:8097", here: false, heardAt: 98_000 };
  badge.show({ ...state, source });
  assert.equal(visible(), "no source for 2 s");
  assert.equal(live.textContent, "no source", "what counts is not read out");
  pass(3_000);
  assert.equal(visible(), "no source for 5 s");
  pending = 1;
  pass(1_000);
  assert.equal(visible(), "no source for 6 s · 1 action waits to be sent");
  badge.show({ ...state, source: { ...source, here: true } });
  assert.equal(visible(), false);
  badge.show({ ...state, source, phase: "waiting", nextAttemptAt: now + 3_000, lastHeardAt: now });
  assert.equal(visible(), "reconnecting in 3 s · 1 action waits to be sent", "the relay itself is away");
});

test("Visdom's button is not called online when a relay has lost its source", () => {
  const attributes = {};
  const document = {
    documentElement: { setAttribute: (name, value) => (attributes[name] = value) },
    createElement: () => new FakeElement(),
    head: new FakeElement(),
  };
  const indicator = new Indicator(document);
  const source = { url: "http://origin:8097", here: false, heardAt: 98_000 };
  indicator.show({ ...state, source });
  assert.equal(attributes["data-visdom-link"], "cutoff");
  assert.match(document.head.children[0].textContent, /="cutoff"\].*\n.*content:"no source"/);
  indicator.show({ ...state, source: { ...source, here: true } });
  assert.equal(attributes["data-visdom-link"], "live");
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

test("says what answers in the server's place, until the link is live or a person went offline", () => {
  const answer = { what: "HTTP 502", status: 502, redirected: false, asksToSignIn: false, retryAfterMs: 0 };
  const waiting = { ...state, phase: "waiting", nextAttemptAt: 103_000, answer };
  badge.show(waiting);
  assert.equal(visible(), "reconnecting in 3 s · HTTP 502 instead of the server's answer");
  assert.equal(live.textContent, "reconnecting. HTTP 502 instead of the server's answer");
  badge.show({ ...waiting, phase: "connecting", answer: { ...answer, what: "a redirect", asksToSignIn: true } });
  assert.equal(visible(), "a redirect instead of the server's answer: you may have to sign in again · reconnecting");
  badge.show({ ...waiting, phase: "offline" });
  assert.equal(visible(), TEXTS.offline());
});

test("offers to sign in where somebody has to, and only there", () => {
  const link = badge.element.shadow.children[4];
  const answer = { what: "a redirect", status: null, redirected: true, asksToSignIn: true, retryAfterMs: 0 };
  const signedOut = { ...state, phase: "waiting", nextAttemptAt: 103_000, answer };
  badge.show(state);
  assert.equal(link.hidden, true);
  badge.show(signedOut);
  assert.deepEqual([link.hidden, link.textContent, link.attributes.href], [false, "sign in again", "http://server/env/main"]);
  assert.equal(live.textContent, "a redirect instead of the server's answer: you may have to sign in again. reconnecting");
  let prevented = 0;
  link.dispatch("click", { preventDefault: () => prevented++ });
  assert.deepEqual([signedIn, prevented], [1, 1]);
  for (const changes of [{ phase: "offline" }, { answer: { ...answer, asksToSignIn: false } }, { phase: "live", answer: null }]) {
    badge.show({ ...signedOut, ...changes });
    assert.equal(link.hidden, true, JSON.stringify(changes));
  }
  badge.show({ ...state, phase: "stopped", code: 4050 });
  assert.deepEqual([link.hidden, visible()], [false, "signed out"]);
  badge.show({ ...state, phase: "stopped", code: 4053, reason: "origin" });
  assert.equal(link.hidden, true);
});

test("the details offer to try at once while waiting, else not", () => {
  const hurry = panel.children[1];
  badge.show({ ...state, phase: "waiting", nextAttemptAt: 103_000 });
  button.click();
  assert.equal(hurry.hidden, false);
  hurry.click();
  assert.equal(hurried, 1);
  badge.show({ ...state, phase: "connecting" });
  assert.equal(hurry.hidden, true);
});

test("says resumed for a while", () => {
  badge.show({ ...state, phase: "waiting", nextAttemptAt: 100_000 });
  badge.show({ ...state, resumed: true });
  assert.equal(visible(), TEXTS.resumed());
  pass(10_000);
  assert.equal(visible(), false);
  assert.equal(live.textContent, "");
});

test("good news is forgotten when the link is gone again, other news is not", () => {
  badge.show({ ...state, phase: "waiting" });
  badge.show({ ...state, resumed: true });
  badge.show({ ...state, phase: "waiting" });
  assert.equal(visible(), "reconnecting");
  badge.notice(TEXTS.refused("readonly"));
  badge.show({ ...state, phase: "connecting" });
  assert.equal(visible(), "refused: readonly · reconnecting");
});

test("a session the server did not know is reconnected, not resumed", () => {
  badge.show({ ...state, phase: "waiting" });
  badge.show({ ...state, resumed: false });
  assert.equal(visible(), TEXTS.reconnected());
});

test("a notice stands beside what the link says", () => {
  badge.show({ ...state, link: "poll" });
  badge.notice(TEXTS.restored());
  assert.equal(visible(), "server restarted: state restored · polling");
  pass(10_000);
  assert.equal(visible(), "polling");
});

test("says for how long what the server has lost is shown, and offers to take it off, as long as there is any", () => {
  const dismiss = panel.children[2];
  const time = new Date(now).toLocaleTimeString();
  badge.show(state);
  assert.deepEqual([visible(), dismiss.hidden], [false, true]);
  kept = { panes: ["a", "b"], since: now };
  badge.refresh();
  const words = `the server lost 2 windows (last seen there ${time}): shown until this tab is closed or reloaded`;
  assert.deepEqual([visible(), live.textContent, dismiss.hidden], [words, words, false]);
  badge.show({ ...state, link: "poll" });
  assert.equal(visible(), `${words} · polling`);
  dismiss.click();
  assert.equal(dismissed, 1);
  kept = { panes: ["a"], since: now - 86_400_000 };
  badge.refresh();
  assert.match(
    visible(),
    new RegExp(`lost 1 window \\(last seen there .*${new Date(now - 86_400_000).getFullYear()}`),
    "the day too",
  );
  kept = null;
  badge.show(state);
  assert.deepEqual([visible(), dismiss.hidden], [false, true]);
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
  assert.equal(say({ phase: "stopped", code: 4050 }), "signed out");
  assert.equal(say({ phase: "stopped", code: 4053, reason: "origin" }), "disconnected: origin");
  assert.equal(say({ phase: "connecting" }), "reconnecting");
});
