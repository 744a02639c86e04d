import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const SOURCE = readFileSync(new URL("../src/stand-ins.js", import.meta.url), "utf8");

const refuse = () => {
  throw new Error("SecurityError");
};

/** A page whose storages are made by the functions given. */
function open({ localStorage, sessionStorage = localStorage, cookie = { get: () => "a=1" } }) {
  const window = Object.defineProperties(
    {},
    {
      localStorage: { get: localStorage, configurable: true },
      sessionStorage: { get: sessionStorage, configurable: true },
    },
  );
  const document = Object.create(Object.defineProperty({}, "cookie", { ...cookie, configurable: true }));
  runInNewContext(SOURCE, { window, document });
  return { window, document };
}

/** A storage that keeps things, unless it is full. */
function storage(items = {}, { full = false } = {}) {
  const kept = new Map(Object.entries(items));
  return {
    get length() {
      return kept.size;
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => (full ? refuse() : kept.set(key, value)),
    removeItem: (key) => kept.delete(key),
  };
}

test("what works is left alone", () => {
  const mine = storage({ envID: "main" });
  const { window, document } = open({ localStorage: () => mine });
  assert.equal(window.localStorage, mine);
  assert.equal(window.sessionStorage, mine);
  assert.equal(mine.length, 1, "and nothing is left behind");
  assert.equal(document.cookie, "a=1");
});

for (const [what, access] of [
  ["refused", refuse],
  ["missing", () => null],
]) {
  test(`a storage that is ${what} is one in memory`, () => {
    const { window } = open({ localStorage: access });
    const { localStorage } = window;
    assert.notEqual(localStorage, window.sessionStorage);
    assert.equal(localStorage.getItem("envID"), null);
    localStorage.setItem("envID", 1);
    localStorage.setItem("filter", "x");
    assert.equal(localStorage.getItem("envID"), "1");
    assert.deepEqual([localStorage.length, localStorage.key(1), localStorage.key(2)], [2, "filter", null]);
    localStorage.removeItem("envID");
    assert.equal(localStorage.getItem("envID"), null);
    localStorage.clear();
    assert.equal(localStorage.length, 0);
  });
}

test("a storage that is full begins with what could be read", () => {
  const { window } = open({ localStorage: () => storage({ filter: "loss" }, { full: true }) });
  assert.equal(window.localStorage.getItem("filter"), "loss");
  window.localStorage.setItem("filter", "accuracy");
  assert.equal(window.localStorage.getItem("filter"), "accuracy");
});

test("cookies that are refused last as long as the page", () => {
  const { document } = open({ localStorage: () => storage(), cookie: { get: refuse, set: refuse } });
  assert.equal(document.cookie, "");
  document.cookie = "mjx.menu=renderer&:SVG; path=/; expires=Fri, 31 Dec 9999 23:59:59 GMT";
  document.cookie = "b=2";
  document.cookie = "b=3";
  assert.equal(document.cookie, "mjx.menu=renderer&:SVG; b=3");
});
