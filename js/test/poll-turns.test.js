import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { MOST_HELD, PollTurns } from "../src/links/poll-turns.js";
import { Session } from "../src/session.js";
import { batch, FakeFetch, FakeScreen, FakeTime, sessionOptions, settled, subscribed, WELCOME } from "./fakes.js";

/** What BroadcastChannel is between tabs: everybody hears everybody else, later. */
class Room {
  tabs = [];
  join = () => {
    const tab = {
      onmessage: null,
      postMessage: (message) => {
        for (const other of this.tabs)
          if (other !== tab) queueMicrotask(() => other.onmessage?.({ data: structuredClone(message) }));
      },
      close: () => this.tabs.splice(this.tabs.indexOf(tab), 1),
    };
    this.tabs.push(tab);
    return tab;
  };
}

let time, room, number;
beforeEach(() => {
  [time, room, number] = [new FakeTime(), new Room(), 0];
});

const turns = (options = {}) =>
  new PollTurns({ time, random: () => number++ / 100, isHidden: () => false, channel: room.join(), ...options });

test("the oldest tabs have their polls held, the others pause, a hidden one for longer", async () => {
  const tabs = [];
  for (let tab = 0; tab < MOST_HELD + 2; tab++) {
    tabs.push(turns({ isHidden: () => tab === MOST_HELD + 1 }));
    await time.pass(10);
  }
  assert.deepEqual(
    tabs.map((tab) => tab.next()),
    [...Array(MOST_HELD).fill(0), 500, 3_000],
  );
});

test("tabs that began in the same moment are not all held", async () => {
  const tabs = Array.from({ length: 8 }, () => turns());
  await settled();
  assert.equal(tabs.filter((tab) => tab.next() === 0).length, MOST_HELD);
});

test("a tab that leaves, or is not heard of any more, makes room", async () => {
  const tabs = Array.from({ length: MOST_HELD + 2 }, () => turns());
  await settled();
  const [first, second] = tabs;
  assert.deepEqual([tabs.at(-2).next() > 0, tabs.at(-1).next() > 0], [true, true]);
  first.leave();
  await settled();
  assert.deepEqual([tabs.at(-2).next(), tabs.at(-1).next() > 0], [0, true]);
  for (let at = 0; at < 6; at++) {
    await time.pass(10_000);
    for (const tab of tabs) if (tab !== first && tab !== second) tab.next();
    await settled();
  }
  assert.equal(tabs.at(-1).next(), 0);
});

test("a tab that hears nobody has its polls held", () => {
  assert.equal(turns({ channel: null }).next(), 0);
});

test("what is not held: quick while there is news, then with pauses, which a command ends", async () => {
  for (let tab = 0; tab < MOST_HELD; tab++) turns();
  await time.pass(10);
  const [net, screen] = [new FakeFetch(), new FakeScreen()];
  const session = new Session(sessionOptions({ net, screen, time, startWithPolling: true, channel: room.join }));
  session.subscribe("env/main", {});
  session.start();
  await settled();
  await net.poll.reply(WELCOME, subscribed("env/main", { offset: 1 }));
  await net.send?.reply({ type: "pong" });
  assert.equal(net.poll.body.wait_s, 0);
  await net.poll.reply(batch("env/main", { to: 1, entries: [], keys: [] }));
  await screen.draw();
  assert.equal(net.poll.body.wait_s, 0, "there was news: at once");
  await net.poll.reply();
  assert.equal(net.poll, undefined);
  await time.pass(499);
  assert.equal(net.poll, undefined);
  await time.pass(1);
  await net.poll.reply();
  void session.command({ cmd: "close", data: "a", eid: "main" });
  await settled();
  await net.send.reply();
  assert.equal(net.poll.body.wait_s, 0, "what it has done is asked for at once");
  await net.poll.reply();
  session.subscribe("env/other", {});
  await settled();
  assert.deepEqual(Object.keys(net.poll.body.feeds), ["env/main", "env/other"]);
  await net.poll.reply();
  session.close();
  await settled();
  assert.equal(room.tabs.length, MOST_HELD, "it has left");
  assert.equal(time.alarms, 0);
});
