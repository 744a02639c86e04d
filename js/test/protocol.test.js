import assert from "node:assert/strict";
import { test } from "node:test";

import { CLOSE, isFinal, isFromServer } from "../src/protocol.js";

test("the server's own close codes are 4000 to 4099, whatever else ends a link", () => {
  assert.deepEqual([1000, 1006, 3999, 4000, 4099, 4100, CLOSE.UNREADABLE].map(isFromServer), [
    false,
    false,
    false,
    true,
    true,
    false,
    false,
  ]);
});

test("another attempt is useless from 4050 on, except with another identity", () => {
  assert.deepEqual([CLOSE.LOST, 4000, 4049, 4050, CLOSE.WRONG_SECRET, 4099, 4100, CLOSE.UNREADABLE].map(isFinal), [
    false,
    false,
    false,
    true,
    false,
    true,
    false,
    false,
  ]);
});
