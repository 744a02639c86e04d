import assert from "node:assert/strict";
import { test } from "node:test";

import { parseViewRequest, replaceXMLHttpRequest } from "../src/bundle/requests.js";
import { BundleSocket, replaceWebSocket } from "../src/bundle/socket.js";

const sid = JSON.stringify({ sid: "s" });

test("recognises what the bundle asks for, names as they are", () => {
  const parse = (url, body = sid) => parseViewRequest("/sub/", "POST", url, body)?.view;
  assert.deepEqual(parse("/sub/env/a/b 50%"), { feed: "env/a_b 50%", envs: ["a/b 50%"], compare: false });
  assert.deepEqual(parse("/sub/compare/a+b/c"), { feed: "compare/a+b_c", envs: ["a", "b/c"], compare: true });
  assert.equal(parse("/sub/compare/a+b", '{"sid": "s", "show_all": true}').feed, "compare/all:a+b");
  assert.equal(parseViewRequest("/", "post", "/env/main", '{"sid": null}')?.sid, null);
});

test("leaves every other request alone", () => {
  for (const [method, url, body] of [
    ["GET", "/env/main", sid],
    ["POST", "/env/main", '{"eid": "main"}'],
    ["POST", "/env/main", "no json"],
    ["POST", "/env/main", "null"],
    ["POST", "/env/main", null],
    ["POST", "/env/", sid],
    ["POST", "/events", sid],
    ["POST", "http://elsewhere/env/main", sid],
  ]) {
    assert.equal(parseViewRequest("/", method, url, body), null, `${method} ${url} ${body}`);
  }
});

test("an intercepted request is answered without being sent anywhere, others are sent as they were", async () => {
  class Native extends EventTarget {
    calls = [];
    get status() {
      return 0;
    }
    open(...args) {
      this.calls.push(["open", ...args]);
    }
    send(...args) {
      this.calls.push(["send", ...args]);
    }
  }
  const seen = [];
  const Replaced = replaceXMLHttpRequest(Native, (...request) => seen.push(request) && request[1] === "/mine");
  const mine = new Replaced();
  mine.open("POST", "/mine", true);
  const heard = [];
  for (const type of ["readystatechange", "load", "loadend", "error"]) mine.addEventListener(type, () => heard.push(type));
  mine.send("body");
  assert.deepEqual(heard, [], "later, as from a network");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(heard, ["readystatechange", "load", "loadend"]);
  assert.deepEqual([mine.readyState, mine.status, mine.statusText], [4, 200, "OK"]);
  assert.deepEqual(seen, [["POST", "/mine", "body"]]);
  assert.deepEqual(mine.calls, [["open", "POST", "/mine", true]]);
  mine.open("POST", "/other");
  assert.equal(mine.status, 0, "asked anew");
  const other = new Replaced();
  other.open("POST", "/other");
  other.send("body");
  assert.deepEqual(other.calls, [
    ["open", "POST", "/other"],
    ["send", "body"],
  ]);
  assert.ok(other instanceof Native);
});

test("only the bundle's own WebSocket is ours", () => {
  class Native {
    static OPEN = 1;
    constructor(...args) {
      this.args = args;
    }
  }
  const made = [];
  const Replaced = replaceWebSocket(
    Native,
    (url) => url === "ws://here/socket",
    (url) => {
      made.push(new BundleSocket(url, { onsend() {}, onclosing() {} }));
      return made[0];
    },
  );
  assert.equal(new Replaced("ws://here/socket"), made[0]);
  assert.deepEqual(new Replaced("ws://here/socket", "v1").args, ["ws://here/socket", "v1"]);
  assert.deepEqual(new Replaced("ws://there/socket").args, ["ws://there/socket"]);
  class Sub extends Replaced {}
  assert.ok(
    new Sub("ws://x") instanceof Sub && new Sub("ws://x") instanceof Native && new Replaced("ws://x") instanceof Replaced,
  );
  assert.equal(Replaced.OPEN, 1);
  assert.equal(made.length, 1);
});

test("a bundle's socket is silent before it opens and after it closes", async () => {
  const log = [];
  const socket = new BundleSocket("ws://here/socket", {
    onsend: (text) => log.push(["sent", text]),
    onclosing: () => log.push(["closing"]),
  });
  socket.onopen = () => log.push(["open"]);
  socket.onmessage = ({ data }) => log.push(["message", String(data)]);
  const closed = new Promise((resolve) => (socket.onclose = resolve));
  socket.deliver({ early: true });
  socket.send("early");
  socket.open();
  socket.open();
  socket.deliver({ a: 1 });
  socket.send("x");
  socket.close();
  socket.close();
  socket.deliver({ late: true });
  socket.send("late");
  assert.deepEqual(log, [["open"], ["message", '{"a":1}'], ["sent", "x"], ["closing"]]);
  const { code, wasClean } = await closed;
  assert.deepEqual([code, wasClean], [1000, true]);
});
