import assert from "node:assert/strict";
import { test } from "node:test";

import { withoutPane } from "../src/bundle/event.js";

const event = { target: "w", eid: "main", event_type: "Click", image_coord: { x: 1, y: 2 } };
const forward = (data) => ({ cmd: "forward_to_vis", data });

for (const pane of [{ content: { src: "A".repeat(1000) } }, {}, true, 0, "", null]) {
  test(`an event goes without the pane ${JSON.stringify(pane).slice(0, 20)}`, () => {
    const command = forward({ ...event, pane_data: pane });
    assert.deepEqual(withoutPane(command), forward(event));
    assert.deepEqual(command.data.pane_data, pane, "what the bundle holds stays its own");
  });
}

for (const command of [
  forward({ ...event, pane_data: false }),
  forward(event),
  forward("text"),
  forward(null),
  { cmd: "forward_to_vis" },
  { cmd: "save", data: { pane_data: { i: "pane_data" } }, eid: "main" },
  "text",
  null,
]) {
  test(`${JSON.stringify(command)} goes as it is`, () => {
    assert.equal(withoutPane(command), command);
  });
}
