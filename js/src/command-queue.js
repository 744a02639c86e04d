/**
 * @typedef {import("./protocol.js").Reply} Reply
 * @typedef {{type: "command", id: number, command: any}} CommandMessage
 */

/** The newest of many waiting commands is refused rather than kept without bound. */
const MAX_WAITING = 1_000;

/** Commands are kept until their reply arrives, and sent again in order after every welcome (docs/protocol.md, section 6). */
export class CommandQueue {
  /** Id of the newest command of this session. */
  lastId;
  /** In the order of their ids. @type {Map<number, {command: any, resolve: (reply: Reply) => void}>} */
  #waiting = new Map();

  /** @param {number} [lastId] the newest id that an earlier life of this page used in the same session */
  constructor(lastId = 0) {
    this.lastId = lastId;
  }

  get size() {
    return this.#waiting.size;
  }

  /**
   * @param {any} command
   * @returns {{message: CommandMessage | null, reply: Promise<Reply>}} message is null when too many are waiting
   */
  add(command) {
    if (this.#waiting.size >= MAX_WAITING) {
      return { message: null, reply: Promise.resolve(failure("too_large", "too many commands are waiting for the server")) };
    }
    const id = ++this.lastId;
    /** @type {Promise<Reply>} */
    const reply = new Promise((resolve) => this.#waiting.set(id, { command, resolve }));
    return { message: { type: "command", id, command }, reply };
  }

  /** A reply arrived; one to a command that is no longer kept is ignored. @param {{id: number} & Reply} reply */
  settle({ id, error, result }) {
    this.#waiting.get(id)?.resolve({ error: error ?? null, result: result ?? null });
    this.#waiting.delete(id);
  }

  /** Another session knows none of our ids: the kept commands begin again at 1. */
  renumber() {
    const kept = [...this.#waiting.values()];
    this.#waiting = new Map(kept.map((item, index) => [index + 1, item]));
    this.lastId = kept.length;
  }

  /** @returns {CommandMessage[]} */
  messages() {
    return [...this.#waiting].map(([id, { command }]) => ({ type: "command", id, command }));
  }

  /** Give up: every waiting command fails. @param {string} why */
  abandon(why) {
    for (const { resolve } of this.#waiting.values()) {
      resolve(failure("failed", why));
    }
    this.#waiting.clear();
  }
}

/** @param {string} code @param {string} message @returns {Reply} */
function failure(code, message) {
  return { error: { code, message, field: null }, result: null };
}
