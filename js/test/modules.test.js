// The modules of the runtime, as text: what they import, and how long they are.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = new URL("..", import.meta.url);
const MOST_LINES = 400;

/** @param {string} folder @returns {string[]} */
function modulesIn(folder) {
  const names = readdirSync(fileURLToPath(new URL(folder, ROOT)), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".js"))
    .map((name) => new URL(name.replaceAll("\\", "/"), new URL(folder, ROOT)).href);
}

const RUNTIME = [...modulesIn("src/"), new URL("ApiProvider.js", ROOT).href];

/** @param {string} href */
const textOf = (href) => readFileSync(fileURLToPath(href), "utf8");
/** @param {string} href */
const nameOf = (href) => href.slice(ROOT.href.length);

/** What a module imports from the runtime, its types included. @param {string} href @returns {string[]} */
function importsOf(href) {
  const found = textOf(href).matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\()"(\.[^"]+\.js)"/g);
  return [...new Set([...found].map(([, path]) => new URL(path, href).href))];
}

/** What a browser fetches for a module. @param {string} href @returns {string[]} */
function codeImportsOf(href) {
  const found = textOf(href).matchAll(/^(?:(?:import|export)[^;"]*\sfrom |import )"(\.[^"]+\.js)";/gm);
  return [...found].map(([, path]) => new URL(path, href).href);
}

/** @param {Map<string, string[]>} imports @returns {string[] | null} the modules of one cycle, the first again at the end */
function findCycle(imports) {
  /** @type {Map<string, "open" | "done">} */
  const visited = new Map();
  /** @param {string} href @param {string[]} path @returns {string[] | null} */
  const visit = (href, path) => {
    if (visited.get(href) === "done") return null;
    if (visited.get(href) === "open") return [...path.slice(path.indexOf(href)), href];
    visited.set(href, "open");
    for (const next of imports.get(href) ?? []) {
      const cycle = visit(next, [...path, href]);
      if (cycle !== null) return cycle;
    }
    visited.set(href, "done");
    return null;
  };
  for (const href of imports.keys()) {
    const cycle = visit(href, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

test("modules do not import each other in a circle, not even types", () => {
  const imports = new Map(RUNTIME.map((href) => [href, importsOf(href)]));
  for (const [href, targets] of imports) {
    for (const target of targets)
      assert.ok(imports.has(target), `${nameOf(href)} imports ${nameOf(target)}, which does not exist`);
  }
  const edges = [...imports.values()].reduce((sum, targets) => sum + targets.length, 0);
  assert.ok(edges > RUNTIME.length, `only ${edges} imports were found: what is an import is not recognised any more`);
  assert.deepEqual(findCycle(imports)?.map(nameOf) ?? null, null);
});

test("a circle is found", () => {
  const imports = new Map([
    ["a", ["b", "c"]],
    ["b", []],
    ["c", ["d"]],
    ["d", ["b", "c"]],
  ]);
  assert.deepEqual(findCycle(imports), ["c", "d", "c"]);
});

test(`no module is longer than ${MOST_LINES} lines`, () => {
  const lines = RUNTIME.map((href) => [nameOf(href), textOf(href).split("\n").length - 1]);
  assert.deepEqual(
    lines.filter(([, count]) => count > MOST_LINES),
    [],
  );
});

test("close codes have names: their numbers stand in protocol.js alone", () => {
  const numbers = RUNTIME.filter((href) => /\b4[09]\d\d\b/.test(textOf(href)));
  assert.deepEqual(numbers.map(nameOf), ["src/protocol.js"]);
});

test("a page has all of its modules after five round trips", () => {
  let known = [new URL("src/main.js", ROOT).href];
  const all = new Set(known);
  let trips = 0;
  for (; known.length > 0; trips++) {
    known = [...new Set(known.flatMap(codeImportsOf))].filter((href) => !all.has(href));
    for (const href of known) all.add(href);
  }
  assert.ok(trips <= 5, `${trips} round trips`);
  assert.ok(all.size > 40, `only ${all.size} modules were found`);
});
