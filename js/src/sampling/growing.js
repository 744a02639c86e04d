/**
 * Numbers in a typed array that grows at the end and shrinks from the front, both at a constant cost each, on average.
 *
 * @template {Uint8Array | Uint16Array | Uint32Array | Float64Array} T
 */
export class Growing {
  /** How many there are. */
  length = 0;
  /** Where the first one stands in `items`. */
  start = 0;
  /** @type {T} */ items;

  /** @param {T} empty an array of the kind that is wanted */
  constructor(empty) {
    this.items = empty;
  }

  /** @param {number} value */
  push(value) {
    const end = this.start + this.length;
    if (end === this.items.length) this.#makeRoom();
    this.items[this.start + this.length] = value;
    this.length += 1;
  }

  /** Forget so many from the front, or all if there are fewer. @param {number} count */
  drop(count) {
    const dropped = Math.min(count, this.length);
    this.start += dropped;
    this.length -= dropped;
  }

  /** @param {number} index */
  at(index) {
    return this.items[this.start + index];
  }

  #makeRoom() {
    const { items, start, length } = this;
    // What was dropped is room enough when it is as much as what is left: each item is then moved once, on average.
    const make = /** @type {new (length: number) => T} */ (items.constructor);
    const target = start >= length && start > 0 ? items : new make(Math.max(16, 2 * length));
    target.set(/** @type {any} */ (items.subarray(start, start + length)));
    this.items = target;
    this.start = 0;
  }
}
