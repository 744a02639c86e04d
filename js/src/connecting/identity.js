/**
 * Which session this tab is. Kept in sessionStorage, so it survives a refresh and belongs to one tab.
 *
 * The newest command id is part of it: the server applies each id of a session once, so a refreshed page must not begin again at 1.
 */
export class Identity {
  /** @type {string | null} */
  session = null;
  /** @type {string | null} */
  secret = null;
  lastCommand = 0;
  #memo;

  /** @param {import("../storage.js").Memo} memo */
  constructor(memo) {
    this.#memo = memo;
    const { session, secret, lastCommand } = memo.read() ?? {};
    if (typeof session === "string" && typeof secret === "string") {
      this.session = session;
      this.secret = secret;
      this.lastCommand = Number.isInteger(lastCommand) ? lastCommand : 0;
    }
  }

  /** @param {string} session @param {string} secret @param {number} lastCommand */
  keep(session, secret, lastCommand) {
    Object.assign(this, { session, secret, lastCommand });
    this.#memo.write({ session, secret, lastCommand });
  }

  /** @param {number} lastCommand */
  keepLastCommand(lastCommand) {
    if (this.session !== null && this.secret !== null) {
      this.keep(this.session, this.secret, lastCommand);
    }
  }

  drop() {
    Object.assign(this, { session: null, secret: null, lastCommand: 0 });
    this.#memo.forget();
  }
}
