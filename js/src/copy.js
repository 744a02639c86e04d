/**
 * A copy of a JSON value that shares nothing with it, for whoever changes what it is given. Much cheaper than going through text.
 *
 * @template T
 * @param {T} value
 * @returns {T}
 */
export function copyJson(value) {
  if (Array.isArray(value)) {
    const items = /** @type {any} */ (value.slice());
    // Most arrays hold numbers, and many of them: only what can be changed is visited.
    for (let index = 0; index < items.length; index++) {
      if (typeof items[index] === "object" && items[index] !== null) items[index] = copyJson(items[index]);
    }
    return items;
  }
  if (typeof value !== "object" || value === null) return value;
  // Not by assignment, which would make "__proto__" the prototype.
  return /** @type {any} */ (Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyJson(member)])));
}
