/**
 * The names of the wire (docs/protocol.md is the authority): messages as types, close codes and kinds of feeds as values.
 *
 * @typedef {["set", Path, any] | ["delete", Path] | ["extend", Path, any[]] | ["drop", Path, number] | ["append", Path, string]
 *   | ["insert", Path, any]} Operation
 * @typedef {(string | number)[]} Path
 *
 * @typedef {{epoch: string, offset: number, part?: number, ahead?: Record<string, number>, have?: Record<string, string>,
 *   near?: string[]}} Position
 *
 * @typedef {{type: "hello", role: string, session: string | null, secret: string | null, window: number,
 *   compression: string[], feeds: Record<string, Position | null>}} Hello
 * @typedef {{type: "welcome", session: string, secret: string, link: string, resumed: boolean, server: string, version: string,
 *   readonly: boolean, heartbeat_s: number, dead_after_s: number, grace_s: number, poll_wait_s: number, window?: number,
 *   detail?: string}} Welcome
 * @typedef {{type: "subscribed", feed: string, epoch: string, offset: number, recovered: boolean, reason: string,
 *   header: any}} Verdict
 *
 * @typedef {{key: string, offset: number, value?: any, base?: number, delta?: Operation[], deleted?: boolean,
 *   piece?: number, text?: string, last?: boolean}} Entry
 * @typedef {{type: "batch", feed: string, epoch: string, from: number, to: number, complete: boolean, entries: Entry[],
 *   keys?: string[]}} StateBatch
 * @typedef {{type: "batch", feed: string, epoch: string, from: number, to: number, complete: boolean, missed: number,
 *   events: any[]}} EventBatch
 *
 * @typedef {{code: string, message: string, field: string | null}} WireError
 * @typedef {{error: WireError | null, result: any}} Reply
 */

export const SUBPROTOCOL = "visdom-transport.v1";

/** The offset of a reader that holds nothing. */
export const NOTHING = -1;

const EVENT_FEEDS = new Set(["notifications", "events"]);

/** @param {string} feed */
export function isEventFeed(feed) {
  return EVENT_FEEDS.has(feed);
}

export const CLOSE = Object.freeze({
  /** The link ended without a code: the network, or the other side is gone. */
  LOST: 1006,
  REPLACED: 4000,
  GOING_AWAY: 4001,
  SILENT: 4002,
  LIMIT: 4005,
  UNAUTHORIZED: 4050,
  WRONG_SECRET: 4051,
  PROTOCOL: 4052,
  ORIGIN: 4053,
  /** Ours, to a server whose messages cannot be read. */
  UNREADABLE: 4900,
});

/** The codes with which the server ends links; from `firstFinal` on it wants no other attempt. */
const SERVER_CODES = { first: 4000, firstFinal: 4050, last: 4099 };

/** Whether the server itself ended the link: any other end may be the work of something in between. @param {number} code */
export function isFromServer(code) {
  return code >= SERVER_CODES.first && code <= SERVER_CODES.last;
}

/**
 * Whether a close code says that trying again without a change is useless.
 *
 * @param {number} code
 */
export function isFinal(code) {
  return isFromServer(code) && code >= SERVER_CODES.firstFinal && code !== CLOSE.WRONG_SECRET;
}
