/** The WebSocket that Visdom's bundle sees. */

import { isWindow, ParsedMessage, withoutJsonRoundTrip } from "./parsed.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

/**
 * Looks like a WebSocket, has no wire. Whoever made it decides when it opens and what it delivers.
 * Event handlers that throw are reported by the browser, as with a real WebSocket, and do not reach the deliverer.
 */
export class BundleSocket extends EventTarget {
  /** @type {((event: any) => void) | null} */ onopen = null;
  /** @type {((event: any) => void) | null} */ onmessage = null;
  /** @type {((event: any) => void) | null} */ onclose = null;
  /** @type {((event: any) => void) | null} */ onerror = null;
  readyState = CONNECTING;
  bufferedAmount = 0;
  extensions = "";
  protocol = "";
  binaryType = "blob";
  #onsend;
  #onclosing;

  /**
   * @param {string} url
   * @param {{onsend: (text: string) => void, onclosing: () => void}} owner
   *   `onsend` receives what the bundle sends, `onclosing` is told when the bundle closes the socket.
   */
  constructor(url, { onsend, onclosing }) {
    super();
    this.url = url;
    this.#onsend = onsend;
    this.#onclosing = onclosing;
    for (const type of /** @type {const} */ (["open", "message", "close", "error"])) {
      this.addEventListener(type, (event) => this[`on${type}`]?.(event));
    }
  }

  /** Tells the bundle that it is connected. */
  open() {
    if (this.readyState !== CONNECTING) return;
    this.readyState = OPEN;
    this.dispatchEvent(new Event("open"));
  }

  /** Delivers one message, at once. @param {object} message */
  deliver(message) {
    if (this.readyState !== OPEN) return;
    // Only windows are large.
    const data = isWindow(message) ? new ParsedMessage(message) : JSON.stringify(message);
    withoutJsonRoundTrip(() => this.dispatchEvent(new MessageEvent("message", { data })));
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState === OPEN) this.#onsend(text);
  }

  close(code = 1000, reason = "") {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#onclosing();
    // As with a real one the event comes later: 0.3.0 drops its reference only after close() has returned.
    setTimeout(() => this.dispatchEvent(Object.assign(new Event("close"), { code, reason, wasClean: true })), 0);
  }
}

/**
 * `native`, except that a WebSocket to one of our `urls` that asks for no subprotocol, which is how Visdom's bundle opens its own,
 * comes from `make`. Constants, prototype, instanceof and subclassing stay those of `native`.
 *
 * @template {new (...args: any[]) => any} T
 * @param {T} native
 * @param {(url: string) => boolean} isBundle
 * @param {(url: string) => BundleSocket} make
 * @returns {T}
 */
export function replaceWebSocket(native, isBundle, make) {
  return new Proxy(native, {
    construct(target, args, newTarget) {
      const [url, protocols] = args;
      if (protocols === undefined && isBundle(String(url))) return make(String(url));
      return Reflect.construct(target, args, newTarget);
    },
  });
}
