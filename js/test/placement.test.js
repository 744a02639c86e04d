import assert from "node:assert/strict";
import { test } from "node:test";

import { followViewport } from "../src/badge/placement.js";

class FakeViewport extends EventTarget {
  offsetLeft = 0;
  offsetTop = 0;
  width = 390;
  height = 844;
  scale = 1;
}

const fakeElement = () => {
  const style = { setProperty: (name, value) => (style[name] = value) };
  return { style };
};

test("stays at the corner of what is seen, as large as ever", () => {
  const [element, root, viewport] = [fakeElement(), fakeElement(), new FakeViewport()];
  const end = followViewport(element, root, viewport);
  const { style } = element;
  assert.deepEqual([style.left, style.top, style.transform], ["378px", "832px", "scale(1) translate(-100%, -100%)"]);
  Object.assign(viewport, { offsetLeft: 100, offsetTop: 50, width: 195, height: 422, scale: 2 });
  viewport.dispatchEvent(new Event("scroll"));
  assert.deepEqual([style.left, style.top, style.transform], ["289px", "466px", "scale(0.5) translate(-100%, -100%)"]);
  assert.equal(style["--room"], "390px");
  assert.deepEqual([root.style["--visdom-seen-left"], root.style["--visdom-seen-bottom"]], ["100px", "472px"]);
  end();
  viewport.offsetLeft = 0;
  viewport.dispatchEvent(new Event("resize"));
  assert.equal(style.left, "289px");
});

test("a browser without a visual viewport has it where the style sheet puts it", () => {
  const element = fakeElement();
  followViewport(element, fakeElement(), null)();
  assert.equal(element.style.left, undefined);
});
