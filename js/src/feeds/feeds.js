import { isEventFeed } from "../protocol.js";
import { EventReplica } from "./event-replica.js";
import { StateReplica } from "./state-replica.js";

/**
 * @typedef {import("../protocol.js").Position} Position
 * @typedef {import("../protocol.js").Verdict} Verdict
 *
 * @typedef {{changed: string[], removed: string[], absent: Map<string, any>, complete: boolean, snapshot: boolean}} FeedChange
 *   as in StateChange
 *
 * @typedef {object} FeedListener
 * @property {(verdict: Verdict) => void} [onsubscribed]
 * @property {(change: FeedChange) => void} [onchanges]
 * @property {(news: {events: any[], missed: number}) => void} [onevents]
 * @property {() => string[]} [near] the keys that a person sees, or nearly; the server may send them first
 *
 * @typedef {object} Feed
 * @property {StateReplica | EventReplica} replica
 * @property {FeedListener} listener
 */

/** The feeds this session is subscribed to: routes verdicts and batches to replicas, and tells listeners what came of it. */
export class Feeds {
  /** @type {Map<string, Feed>} */
  #feeds = new Map();
  /**
   * Verdicts under way on this link, by feed: batches before the last of them belong to an earlier subscription. Kept apart from the
   * feeds because one may be left and entered again before the first verdict arrives.
   * @type {Map<string, number>}
   */
  #awaited = new Map();
  #report;

  /** @param {(error: unknown) => void} report takes what listeners throw */
  constructor(report) {
    this.#report = report;
  }

  /** @param {string} name @param {FeedListener} listener @returns {boolean} whether the feed is new here */
  add(name, listener) {
    const feed = this.#feeds.get(name);
    if (feed !== undefined) {
      feed.listener = listener;
      return false;
    }
    this.#feeds.set(name, { replica: isEventFeed(name) ? new EventReplica() : new StateReplica(), listener });
    return true;
  }

  /** @param {string} name */
  remove(name) {
    return this.#feeds.delete(name);
  }

  /** @param {string} name */
  replica(name) {
    return this.#feeds.get(name)?.replica;
  }

  names() {
    return [...this.#feeds.keys()];
  }

  /** @param {{have?: boolean}} [options] @returns {Record<string, Position | null>} */
  positions(options) {
    return Object.fromEntries(this.names().map((name) => [name, this.position(name, options)]));
  }

  /** A position, and for a new subscription what is near. @param {string} name @param {{have?: boolean}} [options] @returns {Position | null} */
  position(name, options) {
    const feed = this.#feeds.get(name);
    const position = feed?.replica.position(options) ?? null;
    if (position === null || options?.have === false) return position;
    const near = feed?.listener.near?.() ?? [];
    return near.length > 0 ? { ...position, near } : position;
  }

  /** A new link answers these subscriptions, each once; what an earlier link owed never comes. @param {string[]} names */
  awaitOnly(names) {
    this.#awaited = new Map(names.map((name) => [name, 1]));
  }

  /** One more verdict is under way. @param {string} name */
  await(name) {
    this.#awaited.set(name, (this.#awaited.get(name) ?? 0) + 1);
  }

  /**
   * One verdict, or the refusal of a subscription, has arrived.
   *
   * @param {string} name
   * @param {{counted: boolean}} how counted: the link answers each subscription exactly once
   * @returns {boolean} whether it was the last one under way
   */
  answered(name, { counted }) {
    const left = counted ? (this.#awaited.get(name) ?? 0) - 1 : 0;
    if (left > 0) {
      this.#awaited.set(name, left);
    } else {
      this.#awaited.delete(name);
    }
    return left <= 0;
  }

  /** @param {Verdict} verdict @param {{counted: boolean}} how */
  onSubscribed(verdict, how) {
    const last = this.answered(verdict.feed, how);
    const feed = this.#feeds.get(verdict.feed);
    if (last && feed?.replica.onSubscribed(verdict)) {
      this.#notify(() => feed.listener.onsubscribed?.(verdict));
    }
  }

  /** @param {any} batch @returns {string | null} why the feed must be subscribed again, or null */
  onBatch(batch) {
    const feed = this.#feeds.get(batch.feed);
    if (feed === undefined || this.#awaited.has(batch.feed)) {
      return null;
    }
    const { replica, listener } = feed;
    if (replica instanceof EventReplica) {
      const news = replica.apply(batch);
      if (news !== null && (news.events.length > 0 || news.missed > 0)) {
        this.#notify(() => listener.onevents?.(news));
      }
      return null;
    }
    const change = replica.apply(batch);
    if (change === null) {
      return null;
    }
    const { absent, complete, snapshot, gap } = change;
    const changed = [...change.changed];
    const removed = [...change.removed];
    this.#notify(() => listener.onchanges?.({ changed, removed, absent, complete, snapshot }));
    return gap;
  }

  /** @param {() => void} callback */
  #notify(callback) {
    try {
      callback();
    } catch (error) {
      // What a page does with a change must not stop the stream.
      this.#report(error);
    }
  }
}
