import { isEventFeed } from "./protocol.js";

/** @typedef {(value: any) => boolean} Test */

/** @type {Test} */
const isText = (value) => typeof value === "string";
/** @type {Test} */
const isFlag = (value) => typeof value === "boolean";
/** @type {Test} */
const isOffset = (value) => Number.isSafeInteger(value) && value >= -1;
/** Alarms of no time at all would keep the page busy, and longer ones than a day do not fit a timer. @type {Test} */
const isTime = (value) => typeof value === "number" && value >= 0.01 && value <= 86_400;
/** @type {Test} */
const isAge = (value) => typeof value === "number" && value >= 0;
/** @type {Test} */
const isKeys = (value) => value === undefined || (Array.isArray(value) && value.every(isText));
/** @type {Test} */
const isEntries = (value) => Array.isArray(value) && value.every(isEntry);

/** @type {Test} */
function isEntry(entry) {
  if (typeof entry !== "object" || entry === null || !isText(entry.key) || !isOffset(entry.offset)) {
    return false;
  }
  if (entry.delta !== undefined) {
    return Array.isArray(entry.delta) && isOffset(entry.base);
  }
  if (entry.piece !== undefined) {
    return isOffset(entry.piece) && isText(entry.text) && isFlag(entry.last);
  }
  return "value" in entry || entry.deleted === true;
}

const BATCH = { feed: isText, epoch: isText, from: isOffset, to: isOffset, complete: isFlag };

/** What is taken from the messages of each type. @type {Record<string, Record<string, Test>>} */
const NEEDED = {
  welcome: { session: isText, secret: isText, link: isText, heartbeat_s: isTime, dead_after_s: isTime, poll_wait_s: isTime },
  subscribed: { feed: isText, epoch: isText, offset: isOffset, recovered: isFlag, reason: isText },
  stateBatch: { ...BATCH, entries: isEntries, keys: isKeys },
  eventBatch: { ...BATCH, missed: isOffset, events: Array.isArray },
  reply: { id: Number.isSafeInteger },
  source: { url: isText, here: isFlag, heard_s: isAge },
  close: { code: Number.isSafeInteger, reason: isText },
};

/**
 * Why a message from the server is none that docs/protocol.md knows, or null. Of types that are not known nothing is asked.
 *
 * @param {any} message
 * @returns {string | null}
 */
export function misfit(message) {
  if (typeof message !== "object" || message === null || !isText(message.type)) {
    return "a message without a type";
  }
  let { type } = message;
  if (type === "batch") {
    type = isEventFeed(message.feed) ? "eventBatch" : "stateBatch";
  }
  for (const [name, test] of Object.entries(Object.hasOwn(NEEDED, type) ? NEEDED[type] : {})) {
    if (!test(message[name])) {
      return `${message.type} with a wrong ${name}`;
    }
  }
  return null;
}
