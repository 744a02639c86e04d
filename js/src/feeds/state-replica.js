import { NOTHING } from "../protocol.js";
import { apply as applyDelta, GapError } from "./delta.js";

/**
 * @typedef {import("../protocol.js").Position} Position
 * @typedef {import("../protocol.js").Verdict} Verdict
 * @typedef {import("../protocol.js").StateBatch} StateBatch
 * @typedef {import("../protocol.js").Entry} Entry
 *
 * @typedef {object} StateChange
 * @property {Set<string>} changed keys that have a new value
 * @property {Set<string>} removed keys that are gone
 * @property {Map<string, any>} absent of these, the ones that a snapshot just did not have, with what they were last
 * @property {boolean} complete whether the replica now stands at the end of the batch
 * @property {boolean} snapshot whether the batch is part of a snapshot
 * @property {string | null} gap why the replica must be subscribed again, or null. What is in `changed` has changed even then
 */

/**
 * A copy of one state feed, kept up to date by batches (docs/protocol.md, section 4).
 *
 * `values` belong to the replica: later deltas change them in place. A consumer that keeps or changes one must copy it.
 */
export class StateReplica {
  /** @type {string | null} */
  epoch = null;
  offset = NOTHING;
  /** @type {Map<string, any>} */
  values = new Map();
  /** Keys in creation order. @type {string[]} */
  order = [];
  /** The verdict of the last subscription. */
  recovered = false;
  /** @type {string | null} */
  reason = null;
  /** @type {any} */
  header = null;
  /** Whether the replica has reached the server's state since the last verdict. */
  synced = false;

  /** Own offset of each key; of deleted keys only until the position has passed the tombstone. @type {Map<string, number>} */
  #offsets = new Map();
  /** Keys of which it is not known yet whether this life of the feed agrees with the held value. @type {Set<string>} */
  #unverified = new Set();
  /** Keys whose value a misfit delta may have spoiled. @type {Set<string>} */
  #spoiled = new Set();
  /** Entries that have arrived of the catch-up under way. */
  #part = 0;
  /** What has arrived of large values. @type {Map<string, {offset: number, texts: string[]}>} */
  #pieces = new Map();
  #snapshot = false;

  /**
   * Where the replica stands, to be presented to the server; null when it holds nothing.
   *
   * @param {{have?: boolean}} [options] `have: false` leaves the content ids out when the position alone is expected to do
   * @returns {Position | null}
   */
  position({ have = true } = {}) {
    if (this.epoch === null && this.values.size === 0) {
      return null;
    }
    /** @type {Position} */
    const position = { epoch: this.epoch ?? "", offset: this.epoch === null ? NOTHING : this.offset };
    /** @type {[string, number][]} */
    const ahead = [];
    if (this.epoch !== null) {
      for (const [key, offset] of this.#offsets) {
        if (offset > this.offset && !this.#unverified.has(key)) {
          ahead.push([key, offset]);
        }
      }
    }
    if (ahead.length > 0) {
      position.ahead = Object.fromEntries(ahead);
    }
    if (this.#part > 0) {
      position.part = this.#part;
    }
    if (have || position.offset === NOTHING) {
      position.have = this.#contentIds();
    }
    return position;
  }

  #contentIds() {
    /** @type {[string, string][]} */
    const ids = [];
    for (const [key, value] of this.values) {
      if (typeof value?.contentID === "string" && !this.#spoiled.has(key)) {
        ids.push([key, value.contentID]);
      }
    }
    return Object.fromEntries(ids);
  }

  /**
   * @param {Verdict} verdict
   * @returns {boolean} false when it only continues a snapshot that was cut: the verdict that began it still holds
   */
  onSubscribed(verdict) {
    const { epoch, offset, recovered, reason, header } = verdict;
    this.#part = 0;
    this.#pieces.clear();
    const continues = !recovered && this.#snapshot && epoch === this.epoch;
    if (!recovered) {
      for (const key of this.values.keys()) {
        // Within one epoch a key's own offset stays true. In a new one a value that is not sent again equals the one at the verdict's offset; one that differs is
        // sent whole, with an offset that may well be lower: until then the key is unverified.
        if (epoch === this.epoch) {
          this.#offsets.set(key, Math.max(this.offset, this.#own(key)));
        } else {
          this.#offsets.set(key, offset);
        }
        this.#unverified.add(key);
      }
      if (epoch !== this.epoch) {
        this.#forgetTombstones();
      }
      this.offset = NOTHING;
      this.#snapshot = true;
    }
    this.epoch = epoch;
    // The verdict's offset is the head: a replica that stands there is sent nothing.
    this.synced = recovered && this.offset >= offset;
    if (continues) {
      return false;
    }
    this.recovered = recovered;
    this.reason = reason;
    this.header = header ?? null;
    return true;
  }

  /**
   * @param {StateBatch} batch
   * @returns {StateChange | null} null when the batch belongs to another life of the feed
   */
  apply(batch) {
    if (batch.epoch !== this.epoch) {
      return null;
    }
    /** @type {StateChange} */
    const change = {
      changed: new Set(),
      removed: new Set(),
      absent: new Map(),
      complete: false,
      snapshot: this.#snapshot,
      gap: null,
    };
    for (const entry of batch.entries) {
      try {
        this.#applyEntry(entry, change);
      } catch (error) {
        if (!(error instanceof GapError)) {
          throw error;
        }
        change.gap = `${entry.key}: ${error.message}`;
        this.#losePosition();
        return change;
      }
    }
    this.#part += batch.entries.length;
    if (batch.complete) {
      this.#part = 0;
      this.#complete(batch, change);
    }
    return change;
  }

  /** @param {Entry} entry @param {StateChange} change */
  #applyEntry(entry, change) {
    const { key, offset } = entry;
    const own = this.#own(key);
    if (entry.delta !== undefined) {
      if (offset <= own || offset <= this.offset) {
        return;
      }
      if (!this.values.has(key) || own > /** @type {number} */ (entry.base)) {
        throw new GapError(`held at ${own}, delta from ${entry.base} to ${offset}`);
      }
      this.#spoiled.add(key);
      this.values.set(key, applyDelta(this.values.get(key), entry.delta));
      this.#spoiled.delete(key);
      this.#changed(key, offset, change);
      return;
    }
    if ((offset <= own && !this.#unverified.has(key)) || offset <= this.offset) {
      return;
    }
    if (entry.deleted) {
      this.#offsets.set(key, offset);
      this.#remove(key, change);
      return;
    }
    const value = entry.piece === undefined ? entry.value : this.#addPiece(entry);
    if (value === undefined) {
      return;
    }
    if (!this.values.has(key)) {
      this.order.push(key);
    }
    this.values.set(key, value);
    this.#spoiled.delete(key);
    this.#changed(key, offset, change);
  }

  /** @param {Entry} entry @returns {any} the value, if this was the last piece of it */
  #addPiece({ key, offset, piece = 0, text = "", last }) {
    const held = this.#pieces.get(key);
    const texts = held?.offset === offset ? held.texts : [];
    if (piece > texts.length) {
      throw new GapError(`piece ${piece} after ${texts.length}`);
    }
    texts[piece] = text;
    if (!last) {
      this.#pieces.set(key, { offset, texts });
      return undefined;
    }
    this.#pieces.delete(key);
    try {
      return JSON.parse(texts.join(""));
    } catch {
      throw new GapError("the pieces are not JSON");
    }
  }

  /** @param {string} key @param {number} offset @param {StateChange} change */
  #changed(key, offset, change) {
    this.#offsets.set(key, offset);
    this.#unverified.delete(key);
    change.changed.add(key);
    change.removed.delete(key);
  }

  /** @param {string} key @param {StateChange} change */
  #remove(key, change) {
    this.#unverified.delete(key);
    this.#spoiled.delete(key);
    change.changed.delete(key);
    if (this.values.delete(key)) {
      this.order.splice(this.order.indexOf(key), 1);
      change.removed.add(key);
    }
  }

  /** @param {StateBatch} batch @param {StateChange} change */
  #complete(batch, change) {
    if (batch.keys !== undefined) {
      const exists = new Set(batch.keys);
      for (const [key, value] of [...this.values]) {
        if (!exists.has(key)) {
          change.absent.set(key, value);
          this.#remove(key, change);
        }
      }
      this.order = [...exists].filter((key) => this.values.has(key));
      this.#unverified.clear();
      this.#snapshot = false;
    }
    this.offset = Math.max(this.offset, batch.to);
    this.#forgetTombstones();
    this.synced = !this.#snapshot;
    change.complete = true;
  }

  /** After a gap: hold the values, but stand nowhere, so that batches under way are ignored until the next verdict. */
  #losePosition() {
    this.epoch = null;
    this.synced = false;
  }

  /** At or below the position an entry is skipped anyway, so a tombstone has nothing left to protect. */
  #forgetTombstones() {
    for (const key of [...this.#offsets.keys()]) {
      if (!this.values.has(key)) {
        this.#offsets.delete(key);
      }
    }
  }

  /** @param {string} key */
  #own(key) {
    return this.#offsets.get(key) ?? NOTHING;
  }
}
