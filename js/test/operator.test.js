import assert from "node:assert/strict";
import { test } from "node:test";

import { FEED, OperatorPage } from "../src/operator/page.js";
import { describeServer, formatBytes, problems, tables } from "../src/operator/tables.js";
import { ofDisk, ofLimit, ofPublisher, ofRelay, ofServer, ofSession, summarise } from "../src/operator/words.js";

const viewer = {
  address: "10.0.0.7",
  credit: 4,
  problems: [],
  role: "browser",
  dialect: "own",
  link: "websocket",
  relay: null,
  subscriptions: ["shared", "env/main"],
  events_behind: 0,
  in_flight_bytes: 0,
  picture_age_s: 0,
  drawn_s_ago: 0.2,
  seen_s_ago: 0.2,
  resumes: 0,
  conflated_events: 0,
};
const publisher = {
  name: "a1b2c3",
  address: "10.0.0.9",
  environments: ["main"],
  heard_s_ago: 0.1,
  interval_s: 0.1,
  messages: 1_000,
  per_s: 10,
  refused: 0,
  last_refusal: "",
};
const disk = { journal: "all", journal_bytes: 1_500_000, on_disk: true, last_error: null, well: true, text: "" };
const server = { version: "0.1.0", visdom: "0.3.0", uptime_s: 7_300, readonly: false, failing: {} };
const summary = { at_relays: 0, watching: 3, current: 3, oldest_s: 0.2, away: 0, not_shown: 0 };

const session = (changes) => ofSession({ ...viewer, ...changes });

test("a viewer whose picture is current is well, and what went wrong before is said", () => {
  assert.deepEqual(session({}), { hurts: 0, text: "" });
  assert.deepEqual(session({ problems: [["gaps_epoch", 2, "no need to act"]] }), {
    hurts: 0,
    text: "gaps_epoch 2: no need to act",
  });
});

test("an old picture hurts as much as it is old, and who may mend it is named", () => {
  const late = session({ picture_age_s: 3.2, in_flight_bytes: 900, drawn_s_ago: 0.4 });
  assert.equal(late.hurts, 3.2);
  assert.match(late.text, /^its picture is 3\.2 s old: its network or browser is slower than the data, publish less often/);
  const stuck = session({ picture_age_s: 12, in_flight_bytes: 900, drawn_s_ago: 12 });
  assert.match(stuck.text, /^its picture is 12 s old, and it draws nothing: .* reload that tab$/);
  assert.match(session({ picture_age_s: 12, in_flight_bytes: 900, drawn_s_ago: null }).text, /draws nothing/);
  assert.match(session({ picture_age_s: 7, role: "source" }).text, /its handlers .* may hang/);
});

test("who does not look is not behind", () => {
  assert.equal(session({ picture_age_s: null }).hurts, 0);
  assert.match(session({ picture_age_s: null }).text, /^hidden/);
  assert.deepEqual(session({ picture_age_s: null, relay: "one:8098/7" }), { hurts: 0, text: "" }, "its relay knows");
  const away = session({ picture_age_s: null, link: null, seen_s_ago: 34 });
  assert.match(away.text, /^away for 34 s/);
  assert.ok(away.hurts < 1);
});

test("who publishes regularly is missed, and nobody else", () => {
  const say = (changes) => ofPublisher({ ...publisher, ...changes });
  assert.deepEqual(say({}), { hurts: 0, text: "" });
  assert.deepEqual(say({ heard_s_ago: 1.9 }), { hurts: 0, text: "" });
  assert.match(say({ heard_s_ago: 2 }).text, /^has sent nothing for 2\.0 s: .* look whether that program still runs$/);
  assert.deepEqual(say({ heard_s_ago: 60, interval_s: 12 }), { hurts: 0, text: "" });
  assert.deepEqual(say({ heard_s_ago: 3_000, interval_s: null }), { hurts: 0, text: "" });
  assert.equal(
    say({ refused: 1, last_refusal: "/events: bad_field data" }).text,
    "1 message refused (/events: bad_field data): correct that program",
  );
});

test("limits, disk, relays and the server itself", () => {
  assert.equal(ofLimit({ used: 79, limit: 100 }).hurts, 0);
  assert.match(ofLimit({ used: 80, limit: 100 }).text, /^nearly full: raise it/);
  assert.deepEqual(ofDisk(disk), { hurts: 0, text: "" });
  const full = ofDisk({ ...disk, well: false, text: "No space left on device" });
  assert.match(full.text, /^cannot be written \(No space left on device\): free space/);
  assert.equal(ofRelay({ state: "here", seen_s_ago: 0 }).hurts, 0);
  assert.match(ofRelay({ state: "away", seen_s_ago: 70 }).text, /^away for 1 min: look at its machine/);
  assert.deepEqual(ofServer(server), { hurts: 0, text: "" });
  assert.equal(ofServer({ ...server, failing: { loop: "blocked" } }).text, "loop: blocked");
});

test("the sentence at the top", () => {
  assert.equal(summarise(undefined), "");
  assert.equal(summarise(summary), "3 of 3 viewers see what is at most 1 s old");
  assert.equal(summarise({ ...summary, watching: 1, current: 1 }), "1 of 1 viewer sees what is at most 1 s old");
  assert.equal(
    summarise({ ...summary, watching: 300, current: 298, oldest_s: 4.2, away: 1 }),
    "298 of 300 viewers see what is at most 1 s old; the oldest picture is 4.2 s; 1 away",
  );
  assert.equal(
    summarise({ ...summary, watching: 0, current: 0, at_relays: 1 }),
    "nobody looks at a window of this server; 1 viewer at relays",
  );
  assert.equal(describeServer({ ...server, readonly: true }), "visdom-transport 0.1.0, Visdom 0.3.0, for 2 h, read-only");
});

test("sizes", () => {
  assert.deepEqual([0, 999, 1_000, 64_000_000, 123_456_789].map(formatBytes), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "64.0 MB",
    "123 MB",
  ]);
});

const all = new Map([
  ["server", server],
  ["summary", summary],
  ["session/a", viewer],
  ["session/b", { ...viewer, address: "10.0.0.8", picture_age_s: 4 }],
  ["publisher/a1b2c3", publisher],
  ["env/main", { name: "main", windows: null, viewers: 2, changes_per_s: 1.5 }],
  ["limit/max_sessions", { name: "VISDOM_TRANSPORT_MAX_SESSIONS", used: 95, limit: 100 }],
  ["disk", { ...disk, well: false, text: "No space left on device" }],
  ["recent", [{ time: 1, client: "x", cause: "closed_limit", advice: "raise it", detail: "d" }]],
]);

test("what hurts most comes first, in each table and above all of them", () => {
  const found = tables(all);
  assert.deepEqual(
    found.map(({ title }) => title),
    ["viewers", "publishers", "environments", "limits", "disk", "recent"],
  );
  assert.deepEqual(
    found[0].lines.map(({ key }) => key),
    ["session/b", "session/a"],
  );
  for (const { heads, lines } of found) for (const { cells } of lines) assert.equal(cells.length, heads.length);
  assert.deepEqual(
    problems(all).map(({ where }) => where),
    ["disk", "limits: VISDOM_TRANSPORT_MAX_SESSIONS", "viewers: 10.0.0.8"],
  );
  assert.deepEqual(problems(new Map()), []);
});

class FakeElement {
  className = "";
  attributes = {};
  children = [];
  constructor(tag) {
    this.tag = tag;
  }
  set textContent(text) {
    this.children = [text];
  }
  get textContent() {
    return this.children.map((child) => child?.textContent ?? String(child)).join("");
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  append(...children) {
    this.children.push(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
}

test("the page follows one feed and shows what it holds, as text", () => {
  const parts = Object.fromEntries(["link", "server", "summary", "problems", "tables"].map((id) => [id, new FakeElement(id)]));
  const document = { getElementById: (id) => parts[id], createElement: (tag) => new FakeElement(tag) };
  const values = new Map(all);
  let listener;
  const state = {
    phase: "live",
    link: "websocket",
    unansweredMs: 0,
    source: null,
    behindMs: 0,
    behindChanges: 0,
    lastHeardAt: 0,
  };
  const fake = {
    state,
    subscribe: (feed, given) => {
      assert.equal(feed, FEED);
      listener = given;
    },
    replica: () => ({ values }),
  };
  new OperatorPage({ document, session: fake });
  listener.onchanges();
  assert.equal(parts.link.textContent, "");
  assert.match(parts.summary.textContent, /3 of 3 viewers/);
  assert.match(parts.problems.textContent, /^disk cannot be written/);
  assert.match(parts.tables.textContent, /10\.0\.0\.8/);
  const markup = "<img src=x onerror=alert(1)>";
  values.set("env/x", { name: markup, windows: 1, viewers: 0, changes_per_s: 0 });
  listener.onchanges();
  assert.ok(parts.tables.textContent.includes(markup));
  values.clear();
  listener.onchanges();
  assert.equal(parts.problems.textContent, "nothing hurts");
  fake.state = {
    ...state,
    phase: "waiting",
    nextAttemptAt: null,
    answer: null,
    code: null,
    reason: null,
    lastHeardAt: Date.now(),
  };
  fake.onstate();
  assert.equal(parts.link.textContent, "reconnecting");
});
