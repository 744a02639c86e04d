/** What the bundle shows beside panes, from the feed `shared`: the list of environments, saved layouts, how much can be undone. */

import { escapeEnv } from "./requests.js";

export class Shared {
  #session;
  #deliver;
  /** Keys that have changed since they were delivered. @type {Set<string>} */ #changed = new Set();

  /**
   * @param {object} options
   * @param {import("../session.js").PageSession} options.session
   * @param {(message: object) => void} options.deliver
   * @param {() => void} options.onchange there is something to flush
   */
  constructor({ session, deliver, onchange }) {
    this.#session = session;
    this.#deliver = deliver;
    session.subscribe("shared", {
      onchanges: ({ changed, removed }) => {
        for (const key of [...changed, ...removed]) this.#changed.add(key);
        onchange();
      },
    });
  }

  /** Environment ids; undefined before they have come. @returns {string[] | undefined} */
  get envs() {
    return this.#values?.get("envs");
  }

  get #values() {
    return this.#session.replica("shared")?.values;
  }

  /** The bundle knows nothing yet: deliver all of it, at once. */
  deliverAll() {
    this.#changed = new Set(this.#values?.keys());
    this.flush();
  }

  flush() {
    const changed = this.#changed;
    const values = this.#values;
    if (!changed.size || !values) return;
    this.#changed = new Set();
    if (changed.has("layouts")) this.#deliver({ command: "layout_update", data: values.get("layouts") ?? "" });
    // Saved layouts replace the bundle's list of environments with those that have some, hence the list after it.
    if (changed.has("layouts") || changed.has("envs")) this.#deliver({ command: "env_update", data: this.envs ?? [] });
    for (const key of changed) if (key.startsWith("undo/")) this.deliverUndo(key.slice("undo/".length));
  }

  /**
   * The bundle goes over to an environment. One that was uploaded a moment ago is not on our list yet, and 0.3.0's selector stays
   * empty for what is not on the bundle's: until the next list it is.
   *
   * @param {string} env as the bundle spells it
   */
  enter(env) {
    const { envs } = this;
    if (envs && !envs.includes(escapeEnv(env))) this.#deliver({ command: "env_update", data: [...envs, env] });
  }

  /** How much can be undone in an environment. @param {string} env */
  deliverUndo(env) {
    const count = this.#values?.get(`undo/${env}`);
    // Only a server whose bundle understands it has this key.
    if (count !== undefined) this.#deliver({ command: "undo_state", eid: env, count });
  }
}
