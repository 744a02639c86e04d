// Many windows at once: the bundle gets them in parts, so that the page answers in between.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BundlePage, win } from "./fake-bundle.js";

const windows = (count, content = "1") => {
  const all = Array.from({ length: count }, (_, index) => `w${String(index).padStart(3, "0")}`);
  return Object.fromEntries(all.map((id) => [id, win(id, `${id} ${content}`)]));
};

/** A page that has asked for an environment of so many windows, and has been sent them. */
async function asked(count) {
  const page = new BundlePage();
  await page.open({}, "other");
  page.ask({ feed: "env/main", envs: ["main"], compare: false });
  page.session.snapshot("env/main", windows(count));
  page.messages.length = 0;
  return page;
}

test("many windows come in parts, in their order, and the layout after the last of them", async () => {
  const page = await asked(60);
  const sizes = [];
  for (let part = 0; part < 3; part++) {
    page.frame();
    sizes.push(page.panes.size);
    assert.equal(page.commands.includes("layout"), part === 2);
    page.drawn();
  }
  assert.deepEqual(sizes, [25, 50, 60]);
  assert.deepEqual([...page.panes.keys()], Object.keys(windows(60)));
});

test("a batch is drawn when its last part is", async () => {
  const page = await asked(60);
  let drawn = 0;
  page.bundle.drawn(() => (drawn += 1));
  for (let part = 0; part < 3; part++) {
    assert.equal(drawn, 0);
    page.frame();
    page.drawn();
  }
  assert.equal(drawn, 1);
});

test("a part never holds up what is in view", async () => {
  const page = await asked(60);
  page.batch();
  const ids = [...page.panes.keys()];
  for (const id of ids.slice(0, 50)) page.outOfView.add(`${id} 1`);
  await page.time.pass(2_000);
  page.messages.length = 0;
  for (const [id, window] of Object.entries(windows(60, "2"))) page.session.set("env/main", id, window);
  page.frame();
  const delivered = page.messages.map(({ id }) => id);
  for (const id of ids.slice(50)) assert.ok(delivered.includes(id), `${id} is in view`);
  assert.equal(delivered.length, 35);
  page.batch();
  assert.equal(page.texts.w000, "w000 2");
});
