/** What people do in the bundle, on its way to the server. */

import { locate, paneOf } from "./aim.js";
import { envView } from "./requests.js";

/** @typedef {{code: string, message: string}} CommandError */

/** Errors that say that there is nothing to close. */
const GONE = new Set(["unknown_window", "unknown_env"]);

export class UserCommands {
  #session;
  #panes;
  #picture;
  #envs;
  #onerror;

  /**
   * @param {object} options
   * @param {import("../session.js").PageSession} options.session
   * @param {import("./view-panes.js").ViewPanes} options.panes
   * @param {import("./picture.js").LastPicture} options.picture
   * @param {() => string[]} options.envs that exist
   * @param {(error: CommandError, command: any) => void} options.onerror a command was refused
   */
  constructor({ session, panes, picture, envs, onerror }) {
    this.#session = session;
    this.#panes = panes;
    this.#picture = picture;
    this.#envs = envs;
    this.#onerror = onerror;
  }

  /** @param {any} command of the bundle */
  receive(command) {
    const closed = command.cmd === "close" ? command.data : null;
    if (closed !== null && this.#panes.isEcho(closed)) return;
    if (this.#picture.has(paneOf(command))) {
      // The server has no such window: there is nobody to tell anything about it.
      if (closed !== null) this.#panes.dismiss(closed);
      return;
    }
    if (closed !== null) this.#panes.beginClose(closed);
    if (command.cmd === "delete_env") this.#picture.dropView(envView(command.eid).feed);
    if (command.cmd === "save") {
      if (this.#picture.facts) command = { ...command, data: this.#picture.without(command.data) };
      if (this.#panes.view && command.eid !== this.#panes.view.envs[0]) this.#panes.hold();
    }
    this.#send(command, closed);
  }

  /** @param {any} command @param {string | null} closed the pane that it closes */
  #send(command, closed) {
    const { view } = this.#panes;
    const sent = view?.compare ? locate(command, view, this.#envs()) : command;
    if (!sent) {
      if (closed !== null) this.#panes.endClose(closed, { refused: true });
      return;
    }
    void this.#session.command(sent).then(({ error }) => {
      const sameView = this.#panes.view === view;
      if (closed !== null && sameView) this.#panes.endClose(closed, { refused: error !== null });
      // The bundle calls its panes the saved environment from now on, whatever the reply.
      if (command.cmd === "save" && this.#panes.isHeld && sameView) this.#panes.follow(envView(command.eid));
      // Closing what is gone already is no failure.
      if (error && !(closed !== null && GONE.has(error.code))) this.#onerror(error, command);
    });
  }
}
