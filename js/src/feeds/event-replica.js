import { NOTHING } from "../protocol.js";

/**
 * @typedef {import("../protocol.js").Position} Position
 * @typedef {import("../protocol.js").Verdict} Verdict
 * @typedef {import("../protocol.js").EventBatch} EventBatch
 */

/** A reader of one event feed: delivers each event at most once and counts what was lost. */
export class EventReplica {
  /** @type {string | null} */
  epoch = null;
  offset = NOTHING;
  recovered = false;
  /** @type {string | null} */
  reason = null;
  /** @type {any} */
  header = null;
  synced = false;
  /** Events lost so far, as the server told. */
  missed = 0;

  /** @returns {Position | null} */
  position() {
    return this.epoch === null ? null : { epoch: this.epoch, offset: this.offset };
  }

  /** @param {Verdict} verdict */
  onSubscribed(verdict) {
    if (!verdict.recovered) {
      this.offset = verdict.offset;
    }
    this.epoch = verdict.epoch;
    this.recovered = verdict.recovered;
    this.reason = verdict.reason;
    this.header = verdict.header ?? null;
    this.synced = true;
    return true;
  }

  /**
   * @param {EventBatch} batch
   * @returns {{events: any[], missed: number} | null} null when the batch belongs to another life of the feed
   */
  apply(batch) {
    if (batch.epoch !== this.epoch) {
      return null;
    }
    const first = batch.from + batch.missed + 1;
    const missed = Math.max(0, first - 1 - this.offset);
    const events = batch.events.slice(Math.max(0, this.offset + 1 - first));
    this.offset = Math.max(this.offset, batch.to);
    this.missed += missed;
    return { events, missed };
  }
}
