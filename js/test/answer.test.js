// Something in front of the server answers in its place: an outage like any other, whatever the answer is.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Session } from "../src/session.js";
import { batch, FakeFetch, FakeScreen, FakeSocket, FakeTime, sessionOptions, settled, subscribed, WELCOME } from "./fakes.js";

const FEED = "env/main";
const HTML = { "Content-Type": "text/html; charset=utf-8" };
const page =
  (status, headers = {}) =>
  (request) =>
    request.intrude("<html>who are you?</html>", { status, headers: { ...HTML, ...headers } });

/** Name, how the front answers, and what is known of the answer afterwards. */
const ANSWERS = [
  ["an error page 403", page(403), { what: "HTTP 403", status: 403, asksToSignIn: true }],
  [
    "403 without a page",
    (request) => request.intrude("no", { status: 403, headers: { "Content-Type": "text/plain" } }),
    { what: "HTTP 403", asksToSignIn: false },
  ],
  ["an error page 404", page(404), { what: "HTTP 404", status: 404, asksToSignIn: false }],
  ["an error page 413", page(413), { what: "HTTP 413", status: 413, asksToSignIn: false }],
  ["an error page 500", page(500), { what: "HTTP 500", status: 500, asksToSignIn: false }],
  ["an error page 530", page(530), { what: "HTTP 530", status: 530, asksToSignIn: false }],
  ["401", page(401), { what: "HTTP 401", status: 401, asksToSignIn: true }],
  ["a captive portal's 511", page(511), { what: "HTTP 511", status: 511, asksToSignIn: true }],
  ["a redirect", (request) => request.lead(), { what: "a redirect", status: null, redirected: true, asksToSignIn: true }],
  ["a login page with 200", page(200), { what: "a web page", status: 200, asksToSignIn: true }],
  ["an error in JSON", (request) => request.intrude('{"messages": []}', { status: 502 }), { what: "HTTP 502", status: 502 }],
  [
    "another status of success",
    (request) => request.intrude('{"messages": []}', { status: 206 }),
    { what: "HTTP 206", status: 206 },
  ],
  [
    "messages in a page",
    (request) => request.intrude('{"messages": []}', { headers: HTML }),
    { what: "a web page", status: 200 },
  ],
  ["truncated JSON", (request) => request.intrude('{"messages": [{"type": "rep'), { what: "JSON without messages", status: 200 }],
  ["JSON of somebody else", (request) => request.answer({ error: "no" }), { what: "JSON without messages", status: 200 }],
  [
    "a packed page",
    (request) => request.intrude(new Uint8Array([31, 139, 8, 0]), { headers: { "Content-Type": "application/gzip" } }),
    { what: "no JSON" },
  ],
  ["packed JSON", (request) => request.intrude(new Uint8Array([31, 139, 8, 0, 1, 2])), { what: "JSON without messages" }],
];

let time, net, screen, session, errors;
beforeEach(async () => {
  [time, net, screen, errors] = [new FakeTime(), new FakeFetch(), new FakeScreen(), []];
  FakeSocket.made = [];
  session = new Session(sessionOptions({ net, screen, time, onerror: (error) => errors.push(error), startWithPolling: true }));
  session.subscribe(FEED, {});
  session.start();
  await settled();
  const entries = [{ key: "a", offset: 10, value: { contentID: "a1" } }];
  await net.poll.reply(WELCOME, subscribed(FEED, { offset: 10 }), batch(FEED, { to: 10, entries, keys: ["a"] }));
  await net.send.reply({ type: "pong" });
  await screen.draw();
});

const retry = () => time.pass(session.state.nextAttemptAt - time.now());

/** The server is there again, knows the session, and answers what it is asked. */
async function comeBack() {
  await retry();
  const hello = net.poll.body.messages[0];
  await net.poll.reply({ ...WELCOME, link: "l2", resumed: true }, subscribed(FEED, { offset: 10, recovered: true }));
  return hello;
}

for (const [name, answer, known] of ANSWERS) {
  test(`${name} for a poll: the page keeps its place and comes back`, async () => {
    await answer(net.poll);
    const { phase, code } = session.state;
    assert.deepEqual([phase, code], ["waiting", 1006]);
    for (const [member, value] of Object.entries(known)) {
      assert.equal(session.state.answer[member], value, member);
    }
    await retry();
    await answer(net.poll);
    assert.equal(session.state.phase, "waiting", "however often it answers");
    const hello = await comeBack();
    assert.deepEqual([hello.session, hello.feeds[FEED]], ["s1", { epoch: "e1", offset: 10, have: { a: "a1" } }]);
    assert.deepEqual([session.state.phase, session.state.answer, errors], ["live", null, []]);
    assert.deepEqual(net.poll.body.feeds[FEED].offset, 10);
  });

  test(`${name} for a command: it is kept until the server confirms it`, async () => {
    let reply = null;
    void session.command({ cmd: "close", data: "a" }).then((settledWith) => (reply = settledWith));
    await settled();
    await answer(net.send);
    assert.deepEqual([session.state.phase, session.pendingCommands, reply], ["waiting", 1, null]);
    await comeBack();
    const sent = net.send.body.messages.filter(({ type }) => type === "command");
    assert.deepEqual(sent, [{ type: "command", id: 1, command: { cmd: "close", data: "a" } }]);
    await net.send.reply({ type: "reply", id: 1, error: null, result: "done" });
    assert.deepEqual([session.pendingCommands, reply], [0, { error: null, result: "done" }]);
  });
}

test("requests do not follow redirects", () => {
  assert.equal(net.poll.redirect, "manual");
});

for (const [value, ms] of [
  ["20", 20_000],
  ["3600", 60_000],
  ["soon", 0],
  ["-5", 0],
  ["Thu, 01 Jan 1970 00:16:50 GMT", 10_000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
]) {
  test(`Retry-After: ${value} is respected for ${ms / 1000} s`, async () => {
    await page(429, { "Retry-After": value })(net.poll);
    assert.equal(session.state.nextAttemptAt - time.now(), ms + 250);
  });
}

test("the wait grows as in any outage, and a person need not wait", async () => {
  for (const ms of [250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]) {
    await page(502)(net.poll);
    assert.equal(session.state.nextAttemptAt - time.now(), ms);
    await retry();
  }
  await page(502)(net.poll);
  session.reconnectNow();
  assert.equal(session.state.phase, "connecting");
});

test("what answered is known until a link is live, and forgotten when nothing answers any more", async () => {
  await page(404)(net.poll);
  await retry();
  assert.equal(session.state.answer.status, 404);
  await net.poll.fail();
  assert.equal(session.state.answer, null);
});

test("a WebSocket that is refused does not say by whom: the poll that is tried does", async () => {
  session.close();
  session = new Session(sessionOptions({ net, screen, time }));
  session.start();
  for (let i = 0; i < 2; i++) {
    await FakeSocket.made.at(-1).cut();
    await retry();
  }
  await net.poll.lead();
  assert.equal(session.state.answer.asksToSignIn, true);
  await retry();
  assert.equal(FakeSocket.made.length, 3, "and then a WebSocket again");
  await FakeSocket.made.at(-1).cut();
  assert.equal(session.state.answer.asksToSignIn, true, "which tells no more");
  session.close();
});
