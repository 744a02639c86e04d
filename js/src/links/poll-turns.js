/**
 * Which tabs of a browser may have the server hold a poll.
 *
 * A browser opens no more than six connections to a server without HTTP/2, for all tabs together, so more held polls than that keep
 * everything else waiting: commands, and the loading of another page. So the oldest few tabs have theirs held, and all others ask
 * again after a pause. Tabs know of each other by a broadcast, which works without HTTPS, as locks do not; a tab that hears nobody
 * has its polls held.
 */

/** What is left of six connections is for commands, pages, and polls that are not held. */
export const MOST_HELD = 3;
/** A tab that has ended without a word is taken for a polling one no longer. Each says so at every poll. */
const FORGOTTEN_AFTER_MS = 45_000;
/** Until a tab asks again that may not have its polls held. */
const PAUSE_MS = 500;
const HIDDEN_PAUSE_MS = 3_000;

/**
 * @typedef {{postMessage: (message: any) => void, close: () => void, onmessage: ((event: MessageEvent) => void) | null}} Channel
 * @typedef {{id: string, since: number, asks?: boolean, gone?: boolean}} Said  `asks`: everybody is to answer
 */

/** Heard by all tabs of this browser that show a page of the same origin. @returns {Channel | null} */
export function browserChannel() {
  try {
    return globalThis.document ? new BroadcastChannel("visdom-transport:polls") : null;
  } catch {
    return null;
  }
}

export class PollTurns {
  #time;
  #isHidden;
  #channel;
  #self;
  /** Other tabs: since when they poll, and when they were last heard of. @type {Map<string, {since: number, heardAt: number}>} */
  #others = new Map();

  /**
   * @param {object} options
   * @param {import("../time.js").Time} options.time
   * @param {() => number} options.random
   * @param {() => boolean} options.isHidden
   * @param {Channel | null} options.channel
   */
  constructor({ time, random, isHidden, channel }) {
    this.#time = time;
    this.#isHidden = isHidden;
    this.#channel = channel;
    this.#self = { id: `${random()}`, since: time.now() };
    if (channel) channel.onmessage = ({ data }) => this.#hear(data);
    this.#say({ asks: true });
  }

  /** A poll begins. Milliseconds to wait before it when the server is not to hold it; 0 when it may. */
  next() {
    this.#say({});
    const now = this.#time.now();
    const { id, since } = this.#self;
    let older = 0;
    for (const [other, { since: theirs, heardAt }] of this.#others) {
      if (now - heardAt > FORGOTTEN_AFTER_MS) this.#others.delete(other);
      else if (theirs < since || (theirs === since && other < id)) older += 1;
    }
    if (older < MOST_HELD) return 0;
    return this.#isHidden() ? HIDDEN_PAUSE_MS : PAUSE_MS;
  }

  leave() {
    this.#say({ gone: true });
    this.#channel?.close();
    this.#channel = null;
  }

  /** @param {Said} said */
  #hear({ id, since, asks, gone }) {
    if (gone) {
      this.#others.delete(id);
      return;
    }
    this.#others.set(id, { since, heardAt: this.#time.now() });
    if (asks) this.#say({});
  }

  /** @param {Partial<Said>} more */
  #say(more) {
    this.#channel?.postMessage({ ...this.#self, ...more });
  }
}
