/** Makes links of either kind to one server. */

import { LongPollLink } from "./longpoll.js";
import { browserChannel, PollTurns } from "./poll-turns.js";
import { WebSocketLink } from "./websocket.js";

/** @typedef {import("./websocket.js").Link} Link */

/**
 * @param {object} options
 * @param {(path: string) => string} options.url of a path on the server
 * @param {"browser" | "source"} options.role
 * @param {new (url: string, protocol: string) => WebSocket} options.WebSocket
 * @param {typeof globalThis.fetch} options.fetch
 * @param {import("../time.js").Time} options.time
 * @param {() => Record<string, import("../protocol.js").Position | null>} options.positions where the client stands now in every feed
 * @param {() => number} options.random
 * @param {() => boolean} options.isHidden
 * @param {() => import("./poll-turns.js").Channel | null} [options.channel] between the tabs of this browser
 * @returns {(kind: import("../connecting/choice.js").LinkKind) => Link}
 */
export function linkMaker({ url, role, WebSocket, fetch, time, positions, random, isHidden, channel = browserChannel }) {
  return (kind) => {
    if (kind === "websocket") {
      const socketUrl = url(role === "browser" ? "/socket" : "/vis_socket").replace(/^http/, "ws");
      return new WebSocketLink({ url: socketUrl, WebSocket });
    }
    const takeTurns = () => new PollTurns({ time, random, isHidden, channel: channel() });
    const urls = { pollUrl: url("/transport/poll"), sendUrl: url("/transport/send") };
    return new LongPollLink({ ...urls, fetch, time, positions, takeTurns });
  };
}
