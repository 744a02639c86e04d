import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Acknowledging, WAIT_MS } from "../src/connecting/acknowledging.js";
import { Connection } from "../src/connecting/connection.js";
import { always } from "./chance.js";
import { FakeTime, settled } from "./fakes.js";

const vectors = JSON.parse(readFileSync(new URL("../../tests/vectors/acknowledgements.json", import.meta.url), "utf8"));
const SERVER_WINDOW = 16;

/** A link over which a server sends batches for as long as it may, and what the page says on it. */
class Wire {
  kind = "websocket";
  newestChars = 0;
  said = [];
  sent = 0;
  drawn = 0;
  acknowledged = 0;
  drawnAt = 0;
  /** What it is told of is drawn, all of it, and the last of it was drawn then. */
  isTruthful = true;

  constructor(time, credit) {
    this.time = time;
    this.began = time.now();
    this.window = this.credit = credit;
    this.connection = new Connection({ link: this, hello: {}, time, openedAt: time.now(), granted: credit });
    this.connection.welcomed = true;
    this.connection.serverWindow = SERVER_WINDOW;
  }

  get canSend() {
    return this.sent - this.acknowledged < this.window;
  }

  deliver(chars = 100) {
    this.sent++;
    this.newestChars = chars;
    this.connection.receive({ at: this.time.now(), changes: 1 });
  }

  async draw(batches = this.sent - this.drawn) {
    this.drawn += batches;
    this.drawnAt = this.time.now();
    this.connection.acknowledge(this.drawn);
    await settled();
  }

  grant(credit) {
    this.credit = credit;
    this.connection.grant(credit);
  }

  acknowledge(batches, agoMs) {
    this.acknowledged = batches;
    this.isTruthful &&= batches === this.drawn && this.time.now() - agoMs === this.drawnAt;
    this.#note({ type: "ack", batches, ...(agoMs > 0 && { ago_ms: agoMs }) });
  }

  send(message) {
    this.window = message.window;
    this.#note(message);
  }

  #note(message) {
    this.said.push([this.time.now() - this.began, message]);
  }
}

for (const { name, credit, steps, says } of vectors) {
  test(`vector: ${name}`, async () => {
    const time = new FakeTime();
    const wire = new Wire(time, credit);
    for (const [at, what, value] of steps) {
      await time.pass(wire.began + at - time.now());
      if (what === "batch") wire.deliver(value);
      else if (what === "draw") await wire.draw(value);
      else wire.grant(value);
    }
    await time.pass(10 * WAIT_MS);
    assert.deepEqual(wire.said, says);
  });
}

/** A page that is sometimes idle, sometimes busy, and sometimes hidden, and a server that sends at some pace. What must hold, does. */
async function holds(chance) {
  const time = new FakeTime();
  const wire = new Wire(time, 1 + chance.below(6));
  const before = wire.credit;
  let [pace, drawing] = [10, 5];
  let acknowledgedIdle = 0;
  for (let step = 0; step < 150; step++) {
    if (chance.below(20) === 0) [pace, drawing] = [chance.one([5, 10, 60, 150, 500]), chance.one([1, 5, 30, 150, 400])];
    if (chance.below(40) === 0) wire.grant(chance.one([0, 0, 2, before, 16]));
    if (wire.canSend) wire.deliver(chance.below(30) ? 100 : 80_000);
    await time.pass(Math.min(pace, drawing));
    if (chance.below(3) < 2 && wire.drawn < wire.sent) {
      await wire.draw(1 + chance.below(wire.sent - wire.drawn));
      const unsaid = wire.drawn - wire.acknowledged;
      if (wire.drawn < wire.sent || wire.credit === 0) {
        assert.equal(unsaid, 0, "a busy page tells at once, and so does a hidden one");
        assert.equal(wire.window, wire.credit, "a busy page grants nothing beyond its credit");
      } else {
        assert.ok(wire.window - unsaid >= wire.credit, "what is not told yet holds nothing up");
        acknowledgedIdle += unsaid;
      }
    }
    await time.pass(Math.max(0, pace - drawing));
    assert.ok(wire.window <= Math.max(SERVER_WINDOW, wire.credit), "never more than the server has");
    assert.ok(wire.window <= wire.credit + 1 + WAIT_MS / Math.min(pace, 5), "as many more as come within the wait");
    assert.ok(wire.isTruthful);
  }
  const due = wire.drawn;
  await time.pass(WAIT_MS);
  assert.equal(wire.acknowledged, due, "whatever is drawn is told of in time");
  assert.equal(time.alarms, 0);
  return acknowledgedIdle;
}

test("nothing is held up, nothing is granted without bound, and the truth is told in time", async () => {
  let collected = 0;
  await always(60, async (chance) => {
    collected += await holds(chance);
  });
  assert.ok(collected > 100, "idle pages do collect");
});

test("an idle page tells five times a second, however fast batches come", async () => {
  for (const pace of [10, 20, 60]) {
    const time = new FakeTime();
    const wire = new Wire(time, 2);
    let heldUp = 0;
    for (let at = 0; at < 4_000; at += pace) {
      if (wire.canSend) wire.deliver();
      else heldUp++;
      await wire.draw();
      await time.pass(pace);
    }
    const acks = wire.said.filter(([, { type }]) => type === "ack").length;
    const least = pace === 10 ? 4_000 / pace / 15 : 4_000 / WAIT_MS;
    assert.ok(acks <= least * 1.4 + 5, `${acks} acknowledgements, one each ${pace} ms`);
    assert.equal(heldUp, 0);
  }
});

const PLANTED = {
  "an idle page never tells": { settle: () => {} },
  "it grants without bound": {
    settle(original, room) {
      original(room);
      this.extra += 1;
    },
  },
  "it keeps what it was granted when it is busy": {
    settle(original, room) {
      const { extra } = this;
      original(room);
      this.extra = Math.max(extra, this.extra);
    },
  },
  "it collects more than it was granted": {
    settle(original, room) {
      if (room === 0 || this.extra > 0) original(room);
      else setTimeout(() => original(room), 0);
    },
  },
  "it tells that it has just drawn": { send: (original, batches) => original(batches, 0) },
  "it tells that it drew earlier than it did": { send: (original, batches, agoMs) => original(batches, agoMs + 1) },
  "it tells of a batch that is not drawn": { send: (original, batches, agoMs) => original(batches + 1, agoMs) },
};

for (const [mistake, { settle, send }] of Object.entries(PLANTED)) {
  test(`a planted mistake is found: ${mistake}`, async () => {
    const { settle: native } = Acknowledging.prototype;
    const { acknowledge } = Wire.prototype;
    if (settle) {
      Acknowledging.prototype.settle = function (room) {
        return settle.call(this, native.bind(this), room);
      };
    }
    if (send) {
      Wire.prototype.acknowledge = function (batches, agoMs) {
        return send(acknowledge.bind(this), batches, agoMs);
      };
    }
    try {
      await assert.rejects(always(60, holds));
    } finally {
      Acknowledging.prototype.settle = native;
      Wire.prototype.acknowledge = acknowledge;
    }
  });
}
