// A server that is broken, or hostile: the page goes on, and is served again as soon as the server is well.
// `FUZZ_TIMES=100 node --test test/fuzz.test.js` tries more, and others each time; `FUZZ_SEED` begins where one has failed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { misfit } from "../src/check.js";
import { apply, GapError } from "../src/feeds/delta.js";
import { EventReplica } from "../src/feeds/event-replica.js";
import { StateReplica } from "../src/feeds/state-replica.js";
import { Session } from "../src/session.js";
import { always as alwaysWith, Chance } from "./chance.js";
import { batch, FakeFetch, FakeScreen, FakeSocket, FakeStorage, FakeTime, sessionOptions, subscribed, WELCOME } from "./fakes.js";

const FEED = "env/main";

const TEXTS = ["", "x", "w", "main", "e1", "__proto__", "constructor", "\ud800", "env/main", "events", "x".repeat(500)];
const NUMBERS = [0, 1, -1, 2, 0.5, -0.5, 1e9, 2 ** 31, 2 ** 53, 1e308, 5e-324, NaN, Infinity];
const ATOMS = [null, true, false, ...TEXTS, ...NUMBERS];

/** What a server could say that is broken, or hostile. */
class Broken extends Chance {
  value(depth = 3) {
    const kind = depth > 0 ? this.below(6) : 0;
    if (kind === 4) {
      return this.many(4, () => this.value(depth - 1));
    }
    if (kind === 5) {
      return Object.fromEntries(this.many(4, () => [this.one(TEXTS), this.value(depth - 1)]));
    }
    return this.one(ATOMS);
  }
  /** Like the template, of which some members are missing or of another type, or as `better` says. */
  nearly(template, better = {}) {
    const made = { ...template };
    for (const name of Object.keys(template)) {
      const turn = this.below(12);
      if (turn === 0) {
        delete made[name];
      } else if (turn === 1) {
        made[name] = this.value();
      } else if (turn < 8 && better[name] !== undefined) {
        made[name] = better[name]();
      }
    }
    return made;
  }
  path() {
    return this.below(12) === 0 ? this.value() : this.many(3, () => this.one(["x", "w", "", "__proto__", 0, 1, -1, 0.5, null]));
  }
  operation() {
    const name = this.one(["set", "delete", "extend", "drop", "append", "insert", "x", null]);
    return this.below(15) === 0 ? this.value() : [name, this.path(), ...this.many(2, () => this.value())];
  }
  entry() {
    const offset = () => this.one([0, 1, 2, 3, 5, 9]);
    const key = () => this.one(["w", "x", "__proto__"]);
    return this.one([
      () =>
        this.nearly(
          { key: "w", offset: 1, value: { contentID: "c", x: [1], t: "a" } },
          { key, offset, value: () => this.value() },
        ),
      () =>
        this.nearly(
          { key: "w", offset: 2, base: 1, delta: [] },
          { key, offset, base: offset, delta: () => this.many(3, () => this.operation()) },
        ),
      () => this.nearly({ key: "w", offset: 3, deleted: true }, { key, offset }),
      () =>
        this.nearly(
          { key: "w", offset: 4, piece: 0, text: '{"x":', last: false },
          { key, offset, text: () => this.one(["1", "{", "1}"]) },
        ),
      () => this.nearly({ key: "w", offset: 4, piece: 1, text: "[1]}", last: true }, { key, offset, piece: () => this.below(3) }),
      () => this.value(),
    ])();
  }
  message() {
    const offset = () => this.one([-1, 0, 1, 2, 5, 9]);
    const feed = () => this.one([FEED, "events"]);
    const epoch = () => this.one(["e1", "e2"]);
    const entries = () => this.many(3, () => this.entry());
    const time = () => this.one([8, 0, 1e-9, -1, 1e12, 0.3]);
    const keys = () => this.many(3, () => this.one(["w", "x"]));
    return this.one([
      () => this.nearly(WELCOME, { heartbeat_s: time, dead_after_s: time, poll_wait_s: time }),
      () => this.nearly(subscribed(FEED), { feed, epoch, offset, recovered: () => true, header: () => this.value() }),
      () => this.nearly(batch(FEED, { to: 1, keys: ["w"] }), { feed, epoch, from: offset, to: offset, entries, keys }),
      () =>
        this.nearly(
          { type: "batch", feed: "events", epoch: "e1", from: 0, to: 1, complete: true, missed: 0, events: [1] },
          { epoch, to: offset },
        ),
      () => this.nearly({ type: "reply", id: 1, error: null, result: null }),
      () => this.nearly({ type: "error", code: "x", message: "y", field: null, feed: FEED }),
      () => this.nearly({ type: "close", code: 4002, reason: "silent" }, { code: () => 3990 + this.below(70) }),
      () => this.one([{ type: "ping" }, { type: "pong" }, { type: "pong", behind: this.value() }, { type: "new" }]),
      () => this.value(),
    ])();
  }
}

const always = (count, property) => alwaysWith(count, property, (seed) => new Broken(seed));

test("fuzz: a delta either fits or is a gap", () =>
  always(20_000, (chance) => {
    const value = JSON.parse(JSON.stringify(chance.value()));
    const operations = chance.many(4, () => chance.operation());
    try {
      JSON.stringify(apply(value, operations));
    } catch (error) {
      assert.ok(error instanceof GapError, error.stack);
    }
    assert.equal({}.x, undefined, "a prototype was changed");
  }));

test("fuzz: replicas take what is checked, and stand somewhere that can be presented", () =>
  always(5_000, (chance) => {
    const replicas = { [FEED]: new StateReplica(), events: new EventReplica() };
    for (let i = 0; i < 10; i++) {
      const message = chance.message();
      const replica = Object.hasOwn(replicas, String(message?.feed)) ? replicas[message.feed] : undefined;
      if (misfit(message) === null && replica !== undefined && ["subscribed", "batch"].includes(message.type)) {
        if (message.type === "subscribed") {
          replica.onSubscribed(message);
        } else {
          replica.apply(message);
        }
      }
    }
    for (const replica of Object.values(replicas)) {
      const position = replica.position();
      assert.ok(
        position === null || (typeof position.epoch === "string" && Number.isSafeInteger(position.offset)),
        JSON.stringify(position),
      );
    }
    const { order, values } = replicas[FEED];
    assert.deepEqual([...order].sort(), [...values.keys()].sort());
  }));

/** A tab that follows a window and events, over either kind of link. */
function tab(startWithPolling) {
  FakeSocket.made = [];
  const time = new FakeTime();
  const net = new FakeFetch();
  const screen = new FakeScreen();
  const storage = new FakeStorage();
  const errors = [];
  const session = new Session(
    sessionOptions({
      net,
      screen,
      time,
      startWithPolling,
      sessionStorage: () => storage,
      localStorage: () => storage,
      onerror: (error) => errors.push(error),
    }),
  );
  session.subscribe(FEED, {});
  session.subscribe("events", {});
  session.start();
  return { session, time, net, screen, errors };
}

const WELL = [
  WELCOME,
  subscribed(FEED, { epoch: "well", offset: 7 }),
  subscribed("events", { epoch: "well", offset: 0 }),
  batch(FEED, { epoch: "well", to: 7, entries: [{ key: "last", offset: 7, value: { contentID: "c", x: [1] } }], keys: ["last"] }),
];

function assertWell({ session }) {
  assert.equal(session.state.phase, "live");
  assert.deepEqual(session.replica(FEED).order, ["last"]);
  assert.deepEqual(session.replica(FEED).values.get("last"), { contentID: "c", x: [1] });
}

test("fuzz: a page outlives what comes over its WebSocket", () =>
  always(400, async (chance) => {
    const page = tab(false);
    for (let i = 0; i < 8; i++) {
      const socket = FakeSocket.made.at(-1);
      if (socket.readyState === 0) {
        socket.accept();
      }
      if (i === 0 && chance.below(2) === 0) {
        await socket.say(WELCOME, subscribed(FEED), subscribed("events"));
      }
      if (chance.below(8) === 0) {
        socket.onmessage?.({ data: chance.one(["", "{", "null", "[]", '"x"', "\0", "{}"]) });
      } else {
        await socket.say(chance.message());
      }
      await page.screen.draw();
      await page.time.pass(chance.one([0, 0, 100, 9_000]));
      assert.ok(page.time.alarms < 20, "alarms pile up");
      JSON.stringify(page.session.state);
    }
    await FakeSocket.made.at(-1).cut();
    for (const socket of FakeSocket.made) {
      socket.onmessage = socket.onclose = null;
    }
    page.session.goOffline();
    page.session.goOnline();
    const socket = FakeSocket.made.at(-1);
    if (socket.onmessage === null) {
      // It polls for now.
      await page.net.poll.reply(...WELL);
    } else {
      socket.accept();
      await socket.say(...WELL);
    }
    assertWell(page);
    page.session.close();
  }));

test("fuzz: a page outlives what its polls are answered", () =>
  always(400, async (chance) => {
    const page = tab(true);
    for (let i = 0; i < 8; i++) {
      const poll = page.net.poll ?? page.net.send;
      if (poll !== undefined) {
        const turn = chance.below(8);
        if (turn === 0) {
          await poll.refuse(chance.one([400, 401, 403, 404, 500, 502]));
        } else if (turn === 1) {
          await poll.fail();
        } else if (turn === 2) {
          await poll.answer(chance.value());
        } else {
          await poll.reply(...(i === 0 && chance.below(2) === 0 ? [WELCOME] : []), ...chance.many(3, () => chance.message()));
        }
      }
      await page.screen.draw();
      await page.time.pass(chance.one([0, 0, 100, 9_000]));
      assert.ok(page.time.alarms < 20, "alarms pile up");
      JSON.stringify(page.session.state);
    }
    page.session.goOffline();
    page.session.goOnline();
    await page.net.poll.reply(...WELL);
    assertWell(page);
    page.session.close();
  }));
