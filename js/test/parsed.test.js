import assert from "node:assert/strict";
import { test } from "node:test";

import { ParsedMessage, withoutJsonRoundTrip } from "../src/bundle/parsed.js";

const WINDOW = { command: "window", id: "w", content: { data: [{ x: [1, 2] }] } };

test("parsing a parsed message gives a copy, without a text", () => {
  class Unwritten extends ParsedMessage {
    toString() {
      assert.fail("it was written");
    }
  }
  const copy = withoutJsonRoundTrip(() => JSON.parse(new Unwritten(WINDOW)));
  assert.deepEqual(copy, WINDOW);
  copy.content.data[0].x.push(3);
  assert.deepEqual(WINDOW.content.data[0].x, [1, 2]);
});

test("a copy of a window by way of its text shares nothing with it", () => {
  const copy = withoutJsonRoundTrip(() => JSON.parse(JSON.stringify(WINDOW)));
  assert.deepEqual(copy, WINDOW);
  assert.notEqual(copy.content.data, WINDOW.content.data);
});

test("whoever does not know of parsed messages sees the text", () => {
  assert.deepEqual(JSON.parse(new ParsedMessage(WINDOW)), WINDOW);
  assert.equal(`${new ParsedMessage(WINDOW)}`, JSON.stringify(WINDOW));
  assert.equal(
    withoutJsonRoundTrip(() => String(JSON.stringify(WINDOW))),
    JSON.stringify(WINDOW),
  );
});

test("other values and other uses are not touched", () => {
  withoutJsonRoundTrip(() => {
    assert.equal(JSON.stringify({ i: 1 }), '{"i":1}');
    assert.equal(JSON.stringify(WINDOW, ["id"]), '{"id":"w"}');
    assert.equal(JSON.stringify(null), "null");
    assert.deepEqual(JSON.parse("[1]"), [1]);
    assert.deepEqual(
      JSON.parse("[1]", (_, value) => (value === 1 ? 2 : value)),
      [2],
    );
    assert.throws(() => JSON.parse("no"), SyntaxError);
  });
});

test("what throws gives JSON back", () => {
  const { parse, stringify } = JSON;
  assert.throws(() => withoutJsonRoundTrip(() => assert.fail("no")), /no/);
  assert.equal(JSON.parse, parse);
  assert.equal(JSON.stringify, stringify);
});
