/** What a bundle that is built with our ApiProvider has in the place of a WebSocket. */

import { copyButShareData, copyJson } from "../copy.js";
import { withoutPane } from "./event.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

/**
 * Messages and commands as objects. A message is the receiver's own, but for its long arrays of numbers: Visdom's panes and Plotly write
 * into what they show, while the replica goes on changing its values in place.
 */
export class Receiver {
  readyState = CONNECTING;
  #owner;
  #listener;

  /**
   * @param {{onsend: (command: any) => void, onclosing: () => void}} owner  takes commands, is told when the receiver is closed
   * @param {{onopen: () => void, onmessage: (message: any) => void}} listener
   */
  constructor(owner, listener) {
    this.#owner = owner;
    this.#listener = listener;
  }

  open() {
    if (this.readyState !== CONNECTING) return;
    this.readyState = OPEN;
    this.#listener.onopen();
  }

  /** Delivers one message, at once. What the listener throws is reported and does not reach the deliverer. @param {object} message */
  deliver(message) {
    if (this.readyState !== OPEN) return;
    try {
      this.#listener.onmessage(copyButShareData(message));
    } catch (error) {
      reportError(error);
    }
  }

  /** The command is kept until it is confirmed, hence the copy. @param {object} command */
  send(command) {
    if (this.readyState === OPEN) this.#owner.onsend(copyJson(withoutPane(command)));
  }

  close() {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#owner.onclosing();
  }
}
