import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandQueue } from "../src/command-queue.js";

const ids = (outbox) => outbox.messages().map(({ id, command }) => [id, command]);

test("ids start at 1, or behind those of an earlier life of the page", () => {
  assert.equal(new CommandQueue().add("a").message.id, 1);
  assert.equal(new CommandQueue(7).add("a").message.id, 8);
});

test("kept until the reply, in order", async () => {
  const outbox = new CommandQueue();
  const [, b] = ["a", "b", "c"].map((command) => outbox.add(command));
  outbox.settle({ id: 2, error: null, result: "done" });
  assert.deepEqual(await b.reply, { error: null, result: "done" });
  assert.deepEqual(ids(outbox), [
    [1, "a"],
    [3, "c"],
  ]);
});

test("a reply nobody waits for is ignored", () => {
  new CommandQueue().settle({ id: 9, error: null, result: null });
});

test("renumbered, the replies still find their commands", async () => {
  const outbox = new CommandQueue(5);
  outbox.add("a");
  const b = outbox.add("b");
  outbox.renumber();
  assert.deepEqual(ids(outbox), [
    [1, "a"],
    [2, "b"],
  ]);
  assert.equal(outbox.add("c").message.id, 3);
  outbox.settle({ id: 2, error: null, result: "b" });
  assert.equal((await b.reply).result, "b");
});

test("bounded: too many are refused, none is forgotten", async () => {
  const outbox = new CommandQueue();
  for (let i = 0; i < 1_000; i++) {
    outbox.add(i);
  }
  const { message, reply } = outbox.add("one too many");
  assert.equal(message, null);
  assert.equal((await reply).error.code, "too_large");
  assert.equal(outbox.size, 1_000);
});

test("abandoned: every waiting command fails", async () => {
  const outbox = new CommandQueue();
  const { reply } = outbox.add("a");
  outbox.abandon("closed");
  assert.deepEqual((await reply).error, { code: "failed", message: "closed", field: null });
  assert.equal(outbox.size, 0);
});
