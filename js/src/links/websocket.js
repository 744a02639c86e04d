import { CLOSE, SUBPROTOCOL } from "../protocol.js";

/**
 * The shape of every link. `open` once; then `onmessage` for each message until `onclose`, which is called at most once and never
 * after `close`.
 *
 * @typedef {object} Link
 * @property {import("../connecting/choice.js").LinkKind} kind
 * @property {boolean} opened whether the way to the server was open at some time
 * @property {(hello: import("../protocol.js").Hello) => void} open
 * @property {(message: any) => void} send
 * @property {number} newestChars how many characters the newest message has
 * @property {(batches: number, agoMs: number) => void} acknowledge so many batches of this link have been applied and drawn, the last of
 *   them so long ago
 * @property {(code?: number, reason?: string) => void} close
 * @property {(message: any) => void} onmessage
 * @property {() => void} onalive a sign of life without a message
 * @property {(code: number, reason: string, answer?: import("./answer.js").Answer | null) => void} onclose `answer` is what answered in
 *   the server's place, if something did and the link can tell
 */

/** @implements {Link} */
export class WebSocketLink {
  /** @type {"websocket"} */
  kind = "websocket";
  opened = false;
  newestChars = 0;
  /** @type {Link["onmessage"]} */
  onmessage = () => {};
  onalive = () => {};
  /** @type {Link["onclose"]} */
  onclose = () => {};
  #url;
  #WebSocket;
  /** @type {WebSocket | null} */
  #socket = null;

  /** @param {{url: string, WebSocket: new (url: string, protocol: string) => WebSocket}} options */
  constructor({ url, WebSocket }) {
    this.#url = url;
    this.#WebSocket = WebSocket;
  }

  /** @param {import("../protocol.js").Hello} hello */
  open(hello) {
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new this.#WebSocket(this.#url, SUBPROTOCOL);
    } catch (error) {
      // A page under a policy that forbids WebSockets. Later, because nobody expects to be closed while opening.
      queueMicrotask(() => this.onclose(CLOSE.LOST, String(error)));
      return;
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.opened = true;
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => {
      this.#detach();
      this.onclose(code, reason);
    };
    // The close event that follows says what there is to say.
    socket.onerror = () => {};
  }

  /** @param {any} data */
  #receive(data) {
    this.newestChars = data.length;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      this.close(CLOSE.UNREADABLE, "not JSON");
      this.onclose(CLOSE.LOST, "not JSON");
      return;
    }
    this.onmessage(message);
  }

  /** @param {any} message */
  send(message) {
    if (this.#socket?.readyState === 1) {
      this.#socket.send(JSON.stringify(message));
    }
  }

  /** @param {number} batches @param {number} agoMs */
  acknowledge(batches, agoMs) {
    this.send({ type: "ack", batches, ...(agoMs > 0 && { ago_ms: agoMs }) });
  }

  close(code = 1000, reason = "") {
    const socket = this.#socket;
    this.#detach();
    socket?.close(code, reason);
  }

  /** The browser may call back long after the end: a socket that is closing still delivers, and one on a dead path closes late. */
  #detach() {
    if (this.#socket !== null) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null;
      this.#socket = null;
    }
  }
}
