import { noteDropped, noteRewritten } from "./edits.js";

/** An operation or a batch does not fit what the replica holds: it must ask for the whole value. */
export class GapError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "GapError";
  }
}

/** @typedef {import("../protocol.js").Operation} Operation */

/**
 * Apply a delta (docs/protocol.md, section 4) to a JSON value, in place.
 *
 * @param {any} value
 * @param {Operation[]} operations
 * @returns {any} the value, or what replaced it when an operation replaced the whole
 * @throws {GapError} when an operation does not fit; the value may then be half changed and must not be trusted
 */
export function apply(value, operations) {
  // The value stands inside an array so that the empty path needs no special case.
  const top = [value];
  for (const operation of operations) {
    applyOne(top, operation);
  }
  return top[0];
}

/** @param {any[]} top @param {any} operation */
function applyOne(top, operation) {
  const [name, path, argument] = Array.isArray(operation) ? operation : [];
  if (!Array.isArray(path)) {
    throw misfit(operation);
  }
  /** @type {any} */
  let parent = top;
  /** @type {any} */
  let last = 0;
  for (const step of path) {
    require(operation, holds(parent, last));
    parent = parent[last];
    last = step;
  }
  if (name === "set") {
    require(operation, operation.length === 3 && (Array.isArray(parent) ? holds(parent, last) : isMember(parent, last)));
    put(parent, last, argument);
    return;
  }
  if (name === "insert") {
    require(operation, operation.length === 3 && Array.isArray(parent) && parent !== top);
    require(operation, last === parent.length || holds(parent, last));
    noteRewritten(parent);
    parent.splice(last, 0, argument);
    return;
  }
  require(operation, holds(parent, last));
  const target = parent[last];
  switch (name) {
    case "delete":
      require(operation, parent !== top);
      if (Array.isArray(parent)) {
        noteRewritten(parent);
        parent.splice(last, 1);
      } else {
        delete parent[last];
      }
      return;
    case "extend":
      require(operation, Array.isArray(target) && Array.isArray(argument));
      // Not push(...argument): a long list would overflow the stack.
      for (const item of argument) {
        target.push(item);
      }
      return;
    case "drop":
      require(operation, Number.isInteger(argument) && argument >= 0);
      if (typeof target === "string") {
        put(parent, last, target.slice(codeUnits(operation, target, argument)));
      } else {
        require(operation, Array.isArray(target) && argument <= target.length);
        noteDropped(target, argument);
        target.splice(0, argument);
      }
      return;
    case "append":
      require(operation, typeof target === "string" && typeof argument === "string");
      put(parent, last, target + argument);
      return;
    default:
      throw misfit(operation);
  }
}

/**
 * How many UTF-16 code units the first `count` characters of `text` take. The server counts code points.
 *
 * @param {any} operation @param {string} text @param {number} count
 */
function codeUnits(operation, text, count) {
  let units = 0;
  for (let i = 0; i < count; i++) {
    require(operation, units < text.length);
    units += /** @type {number} */ (text.codePointAt(units)) > 0xffff ? 2 : 1;
  }
  return units;
}

/** Whether `step` names something that exists in `parent`. @param {any} parent @param {any} step */
function holds(parent, step) {
  return Array.isArray(parent)
    ? Number.isInteger(step) && step >= 0 && step < parent.length
    : isMember(parent, step) && Object.hasOwn(parent, step);
}

/** @param {any} parent @param {any} step */
function isMember(parent, step) {
  return typeof step === "string" && typeof parent === "object" && parent !== null && !Array.isArray(parent);
}

/** @param {any} parent @param {string | number} step @param {any} value */
function put(parent, step, value) {
  if (step === "__proto__") {
    // Assignment would change the object's prototype instead of making the member JSON.parse makes.
    Object.defineProperty(parent, step, { value, writable: true, enumerable: true, configurable: true });
  } else {
    if (Array.isArray(parent)) {
      noteRewritten(parent);
    }
    parent[step] = value;
  }
}

/** @param {any} operation @param {boolean} fits */
function require(operation, fits) {
  if (!fits) {
    throw misfit(operation);
  }
}

/** @param {any} operation */
function misfit(operation) {
  return new GapError(`${String(JSON.stringify(operation)).slice(0, 200)} does not fit`);
}
