import assert from "node:assert/strict";
import { test } from "node:test";

import { EventReplica } from "../src/feeds/event-replica.js";
import { StateReplica } from "../src/feeds/state-replica.js";
import { batch, events, subscribed } from "./fakes.js";

const FEED = "env/main";
const pane = (contentID, x = []) => ({ contentID, x });
const value = (key, offset, value) => ({ key, offset, value });
const delta = (key, base, offset, ...operations) => ({ key, offset, base, delta: operations });
const gone = (key, offset) => ({ key, offset, deleted: true });

/** A replica that stands at offset 10 with windows a (own offset 5) and b (own offset 7). */
function standing() {
  const replica = new StateReplica();
  replica.onSubscribed(subscribed(FEED, { offset: 10 }));
  replica.apply(batch(FEED, { to: 10, entries: [value("a", 5, pane("a1", [1])), value("b", 7, pane("b1"))], keys: ["a", "b"] }));
  return replica;
}

test("a replica that holds nothing has no position", () => {
  assert.equal(new StateReplica().position(), null);
});

test("a snapshot brings values, creation order and the position", () => {
  const replica = new StateReplica();
  replica.onSubscribed(subscribed(FEED, { offset: 10, header: { reload: {} } }));
  assert.equal(replica.synced, false);
  const change = replica.apply(batch(FEED, { to: 10, entries: [value("b", 7, 2), value("a", 5, 1)], keys: ["a", "b"] }));
  assert.deepEqual(change, {
    changed: new Set(["b", "a"]),
    removed: new Set(),
    absent: new Map(),
    complete: true,
    snapshot: true,
    gap: null,
  });
  assert.deepEqual(replica.order, ["a", "b"]);
  assert.deepEqual(replica.position(), { epoch: "e1", offset: 10, have: {} });
  assert.equal(replica.synced, true);
  assert.deepEqual(replica.header, { reload: {} });
  assert.deepEqual([replica.recovered, replica.reason], [false, "new"]);
});

test("the position presents content ids, or leaves them out", () => {
  assert.deepEqual(standing().position(), { epoch: "e1", offset: 10, have: { a: "a1", b: "b1" } });
  assert.deepEqual(standing().position({ have: false }), { epoch: "e1", offset: 10 });
});

test("a batch of another epoch is ignored", () => {
  const replica = standing();
  assert.equal(replica.apply(batch(FEED, { epoch: "e0", from: 10, to: 11, entries: [value("a", 11, 0)] })), null);
  assert.equal(replica.offset, 10);
  assert.equal(replica.values.get("a").contentID, "a1");
});

test("a delta is applied in place", () => {
  const replica = standing();
  const held = replica.values.get("a");
  const change = replica.apply(batch(FEED, { from: 10, to: 12, entries: [delta("a", 10, 12, ["extend", ["x"], [2]])] }));
  assert.deepEqual([...change.changed], ["a"]);
  assert.equal(replica.values.get("a"), held);
  assert.deepEqual(held.x, [1, 2]);
  assert.equal(replica.offset, 12);
});

test("a delta that replaces the whole value", () => {
  const replica = standing();
  replica.apply(batch(FEED, { from: 10, to: 11, entries: [delta("a", 10, 11, ["set", [], pane("a2")])] }));
  assert.deepEqual(replica.values.get("a"), pane("a2"));
});

test("a delta from a base above the key's own offset fits: nothing of it has been applied", () => {
  const replica = standing();
  assert.equal(replica.apply(batch(FEED, { from: 10, to: 12, entries: [delta("a", 6, 12, ["extend", ["x"], [2]])] })).gap, null);
});

test("what arrives twice is applied once", () => {
  const replica = standing();
  const again = batch(FEED, {
    from: 10,
    to: 12,
    entries: [delta("a", 10, 12, ["extend", ["x"], [2]]), value("c", 11, pane("c1"))],
  });
  replica.apply(structuredClone(again));
  const change = replica.apply(structuredClone(again));
  assert.deepEqual([change.changed.size, change.gap], [0, null]);
  assert.deepEqual(replica.values.get("a").x, [1, 2]);
  assert.deepEqual(replica.order, ["a", "b", "c"]);
});

test("an older batch does not move the position back", () => {
  const replica = standing();
  replica.apply(batch(FEED, { from: 3, to: 6, entries: [value("a", 5, 0)] }));
  assert.equal(replica.offset, 10);
  assert.equal(replica.values.get("a").contentID, "a1");
});

test("a tombstone removes, and protects from what is older", () => {
  const replica = standing();
  const change = replica.apply(batch(FEED, { from: 10, to: 14, complete: false, entries: [gone("a", 13)] }));
  assert.deepEqual([[...change.removed], [...change.changed]], [["a"], []]);
  assert.deepEqual(replica.order, ["b"]);
  replica.apply(batch(FEED, { from: 10, to: 14, complete: false, entries: [value("a", 12, pane("old"))] }));
  assert.equal(replica.values.has("a"), false);
  replica.apply(batch(FEED, { from: 10, to: 14 }));
  replica.apply(batch(FEED, { from: 10, to: 14, entries: [value("a", 12, pane("old"))] }));
  assert.equal(replica.values.has("a"), false, "the position protects when the tombstone is forgotten");
});

test("a deleted key can be created again, at the end", () => {
  const replica = standing();
  replica.apply(batch(FEED, { from: 10, to: 11, entries: [gone("a", 11)] }));
  replica.apply(batch(FEED, { from: 11, to: 12, entries: [value("a", 12, pane("a2"))] }));
  assert.deepEqual(replica.order, ["b", "a"]);
});

test("created and deleted within one batch", () => {
  const change = standing().apply(batch(FEED, { from: 10, to: 12, entries: [value("c", 11, 1), gone("c", 12)] }));
  assert.deepEqual([[...change.changed], [...change.removed]], [[], ["c"]]);
});

test("deleted and created within one batch", () => {
  const change = standing().apply(batch(FEED, { from: 10, to: 12, entries: [gone("a", 11), value("a", 12, 1)] }));
  assert.deepEqual([[...change.changed], [...change.removed]], [["a"], []]);
});

test("a tombstone of a key that is not held says nothing", () => {
  const change = standing().apply(batch(FEED, { from: 10, to: 12, entries: [gone("z", 12)] }));
  assert.deepEqual([[...change.changed], [...change.removed]], [[], []]);
});

test("a part of a catch-up moves only its keys, which are then ahead", () => {
  const replica = standing();
  const change = replica.apply(
    batch(FEED, { from: 10, to: 20, complete: false, entries: [delta("a", 10, 15, ["extend", ["x"], [2]]), gone("b", 17)] }),
  );
  assert.deepEqual([change.complete, change.snapshot], [false, false]);
  assert.deepEqual(replica.position({ have: false }), { epoch: "e1", offset: 10, part: 2, ahead: { a: 15, b: 17 } });
});

test("a catch-up that was cut is resumed without doubling", () => {
  const replica = standing();
  replica.apply(batch(FEED, { from: 10, to: 20, complete: false, entries: [delta("a", 10, 15, ["extend", ["x"], [2]])] }));
  replica.onSubscribed(subscribed(FEED, { offset: 22, recovered: true }));
  assert.equal(replica.synced, false);
  replica.apply(
    batch(FEED, {
      from: 10,
      to: 22,
      entries: [delta("a", 15, 21, ["extend", ["x"], [3]]), delta("b", 10, 18, ["set", ["x"], [9]])],
    }),
  );
  assert.deepEqual(replica.values.get("a").x, [1, 2, 3]);
  assert.deepEqual(replica.position({ have: false }), { epoch: "e1", offset: 22 });
  assert.equal(replica.synced, true);
});

test("a catch-up from the old position after part of it was applied is a gap, never doubled", () => {
  const replica = standing();
  replica.apply(batch(FEED, { from: 10, to: 20, complete: false, entries: [delta("a", 10, 15, ["extend", ["x"], [2]])] }));
  const change = replica.apply(batch(FEED, { from: 10, to: 21, entries: [delta("a", 10, 21, ["extend", ["x"], [2, 3]])] }));
  assert.match(change.gap, /^a: held at 15, delta from 10 to 21/);
  assert.deepEqual(replica.values.get("a").x, [1, 2]);
});

test("a delta for a key that is not held is a gap", () => {
  assert.match(standing().apply(batch(FEED, { from: 10, to: 11, entries: [delta("z", 10, 11, ["set", ["a"], 1])] })).gap, /^z: /);
});

test("after a gap: what was applied is told, nothing more is applied, the content ids are presented without a position", () => {
  const replica = standing();
  const change = replica.apply(
    batch(FEED, {
      from: 10,
      to: 13,
      entries: [value("c", 11, pane("c1")), delta("a", 10, 12, ["extend", ["x"], [2]], ["append", ["x"], "no"]), gone("b", 13)],
    }),
  );
  assert.deepEqual([...change.changed], ["c"]);
  assert.equal(change.complete, false);
  assert.deepEqual(
    replica.position(),
    { epoch: "", offset: -1, have: { b: "b1", c: "c1" } },
    "the half changed value is not claimed",
  );
  assert.deepEqual(replica.position({ have: false }), replica.position(), "without a position, content ids are always needed");
  assert.equal(replica.apply(batch(FEED, { from: 13, to: 14, entries: [value("d", 14, 1)] })), null);
  assert.equal(replica.synced, false);

  replica.onSubscribed(subscribed(FEED, { offset: 14, reason: "epoch" }));
  const healed = replica.apply(
    batch(FEED, { to: 14, entries: [value("a", 12, pane("a2", [1, 2])), value("d", 14, 1)], keys: ["a", "c", "d"] }),
  );
  assert.deepEqual([[...healed.changed], [...healed.removed]], [["a", "d"], ["b"]]);
  assert.deepEqual(replica.order, ["a", "c", "d"]);
  assert.deepEqual(replica.position().have, { a: "a2", c: "c1" });
});

test("hydration: in a new epoch only what differs is sent, with any offset; the rest is held at the verdict's offset", () => {
  const replica = standing();
  replica.onSubscribed(subscribed(FEED, { epoch: "e2", offset: 3, reason: "epoch" }));
  assert.deepEqual([replica.offset, replica.synced, replica.reason], [-1, false, "epoch"]);
  const change = replica.apply(batch(FEED, { epoch: "e2", to: 3, entries: [value("b", 0, pane("b2"))], keys: ["b", "a"] }));
  assert.deepEqual([[...change.changed], [...change.removed]], [["b"], []]);
  assert.deepEqual(replica.order, ["b", "a"]);
  const after = replica.apply(batch(FEED, { epoch: "e2", from: 3, to: 4, entries: [delta("a", 3, 4, ["extend", ["x"], [2]])] }));
  assert.equal(after.gap, null);
  assert.deepEqual(replica.values.get("a").x, [1, 2]);
});

test("hydration: a delta from before the verdict does not fit a key held at it", () => {
  const replica = standing();
  replica.onSubscribed(subscribed(FEED, { epoch: "e2", offset: 3, reason: "epoch" }));
  assert.notEqual(
    replica.apply(batch(FEED, { epoch: "e2", to: 4, entries: [delta("a", 2, 4, ["extend", ["x"], [2]])] })).gap,
    null,
  );
});

test("hydration: a snapshot that is cut claims only what has arrived", () => {
  const replica = standing();
  replica.onSubscribed(subscribed(FEED, { epoch: "e2", offset: 3, reason: "epoch" }));
  replica.apply(batch(FEED, { epoch: "e2", to: 3, complete: false, entries: [value("b", 2, pane("b2"))] }));
  assert.deepEqual(replica.position(), { epoch: "e2", offset: -1, part: 1, ahead: { b: 2 }, have: { a: "a1", b: "b2" } });
});

test("hydration: a snapshot continued on another link keeps its first verdict and its unverified keys", () => {
  const replica = standing();
  assert.equal(replica.onSubscribed(subscribed(FEED, { epoch: "e2", offset: 3, reason: "epoch" })), true);
  replica.apply(batch(FEED, { epoch: "e2", to: 3, complete: false, entries: [value("b", 2, pane("b2"))] }));
  assert.equal(replica.onSubscribed(subscribed(FEED, { epoch: "e2", offset: 5, reason: "epoch" })), false);
  const change = replica.apply(batch(FEED, { epoch: "e2", to: 5, entries: [value("a", 1, pane("a2"))], keys: ["a", "b"] }));
  assert.deepEqual([[...change.changed], change.snapshot, replica.synced], [["a"], true, true]);
});

test("trimmed: own offsets stay true within an epoch, and the list of keys removes the rest", () => {
  const replica = standing();
  replica.onSubscribed(subscribed(FEED, { offset: 50, reason: "trimmed" }));
  const change = replica.apply(
    batch(FEED, { from: 10, to: 50, entries: [delta("a", 10, 30, ["extend", ["x"], [2]]), value("c", 40, 1)], keys: ["a", "c"] }),
  );
  assert.equal(change.gap, null);
  assert.deepEqual([[...change.changed], [...change.removed], change.snapshot], [["a", "c"], ["b"], true]);
  assert.deepEqual(replica.values.get("a").x, [1, 2]);
});

test("recovered at the head: nothing follows, so the replica is current at once", () => {
  const replica = standing();
  replica.onSubscribed(subscribed(FEED, { offset: 10, recovered: true }));
  assert.equal(replica.synced, true);
  assert.equal(replica.recovered, true);
});

test("state of a replica does not grow with deleted keys", () => {
  const replica = standing();
  for (let offset = 11; offset < 2_000; offset += 2) {
    replica.apply(
      batch(FEED, {
        from: offset - 1,
        to: offset + 1,
        entries: [value(`w${offset}`, offset, 1), gone(`w${offset}`, offset + 1)],
      }),
    );
  }
  replica.apply(batch(FEED, { from: 2_000, to: 3_000, complete: false, entries: [value("a", 2_500, pane("a9"))] }));
  assert.deepEqual(replica.position({ have: false }), { epoch: "e1", offset: 2_000, part: 1, ahead: { a: 2_500 } });
});

// --- large values ---

/** A value in pieces of four characters. */
function pieces(key, offset, content) {
  const texts = JSON.stringify(content).match(/.{1,4}/gs);
  return texts.map((text, piece) => ({ key, offset, piece, text, last: piece === texts.length - 1 }));
}

const part = (...entries) => batch(FEED, { from: 10, to: 20, complete: false, entries });

test("a large value comes in pieces, with other entries in between", () => {
  const replica = standing();
  const [first, ...rest] = pieces("a", 12, pane("a2"));
  assert.deepEqual([...replica.apply(part(first)).changed], []);
  assert.deepEqual([...replica.apply(part(value("b", 15, pane("b2")), rest[0])).changed], ["b"]);
  assert.equal(replica.values.get("a").contentID, "a1");
  assert.deepEqual(replica.position({ have: false }), { epoch: "e1", offset: 10, part: 3, ahead: { b: 15 } });
  const change = replica.apply(batch(FEED, { from: 10, to: 20, entries: rest.slice(1) }));
  assert.deepEqual([...change.changed], ["a"]);
  assert.deepEqual(replica.values.get("a"), pane("a2"));
  assert.deepEqual(replica.position({ have: false }), { epoch: "e1", offset: 20 });
});

test("pieces that come twice change nothing", () => {
  const replica = standing();
  const all = pieces("a", 12, pane("a2"));
  for (const piece of all) replica.apply(part(piece, piece));
  assert.deepEqual(replica.values.get("a"), pane("a2"));
  assert.deepEqual([...replica.apply(part(...all)).changed], []);
});

test("a piece that is missing is a gap", () => {
  const replica = standing();
  const [first, , third] = pieces("a", 12, pane("a2"));
  replica.apply(part(first));
  assert.match(replica.apply(part(third)).gap, /^a: piece 2 after 1/);
});

test("another version begins with its own first piece", () => {
  const replica = standing();
  replica.apply(part(pieces("a", 12, pane("a2"))[0]));
  replica.apply(part(...pieces("a", 14, pane("a3"))));
  assert.deepEqual(replica.values.get("a"), pane("a3"));
  replica.apply(part(pieces("b", 15, pane("b2"))[0]));
  assert.match(replica.apply(part(pieces("b", 16, pane("b3"))[1])).gap, /^b: piece 1 after 0/);
});

test("after a verdict large values begin anew", () => {
  const replica = standing();
  const all = pieces("a", 12, pane("a2"));
  replica.apply(part(all[0]));
  replica.onSubscribed(subscribed(FEED, { offset: 20, recovered: true }));
  assert.deepEqual(replica.position({ have: false }), { epoch: "e1", offset: 10 });
  assert.match(replica.apply(part(all[1])).gap, /^a: piece 1 after 0/);
});

// --- events ---

function reader(offset = 5) {
  const replica = new EventReplica();
  replica.onSubscribed(subscribed("events", { offset }));
  return replica;
}

test("events are delivered in order, once", () => {
  const replica = reader();
  assert.deepEqual(replica.apply(events("events", { from: 5, to: 7, events: [6, 7] })), { events: [6, 7], missed: 0 });
  assert.deepEqual(replica.apply(events("events", { from: 5, to: 8, events: [6, 7, 8] })), { events: [8], missed: 0 });
  assert.deepEqual(replica.apply(events("events", { from: 5, to: 6, events: [6] })), { events: [], missed: 0 });
  assert.deepEqual(replica.position(), { epoch: "e1", offset: 8 });
});

test("lost events are counted, those that were read before are not", () => {
  const replica = reader();
  assert.deepEqual(replica.apply(events("events", { from: 5, to: 10, missed: 3, events: [9, 10] })), {
    events: [9, 10],
    missed: 3,
  });
  assert.deepEqual(replica.apply(events("events", { from: 8, to: 14, missed: 4, events: [13, 14] })), {
    events: [13, 14],
    missed: 2,
  });
  assert.deepEqual(
    replica.apply(events("events", { from: 16, to: 17, events: [17] })),
    { events: [17], missed: 2 },
    "a hole is a loss",
  );
  assert.equal(replica.missed, 7);
});

test("another life of an event feed begins at its verdict's offset", () => {
  const replica = reader();
  assert.equal(replica.apply(events("events", { epoch: "e2", from: 0, to: 1, events: [1] })), null);
  replica.onSubscribed(subscribed("events", { epoch: "e2", offset: 0, reason: "epoch" }));
  assert.deepEqual(replica.apply(events("events", { epoch: "e2", from: 0, to: 1, events: [1] })), { events: [1], missed: 0 });
});

test("a recovered event feed keeps its own offset", () => {
  const replica = reader();
  replica.onSubscribed(subscribed("events", { offset: 5, recovered: true }));
  assert.equal(replica.position().offset, 5);
});
