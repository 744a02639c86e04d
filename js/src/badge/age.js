/** How old the picture is that somebody looks at, and why: as far as the page can tell by itself. */

import { CLOSE } from "../protocol.js";
import { formatAge } from "./format.js";
import { TEXTS, WHY } from "./texts.js";

/**
 * @typedef {keyof typeof WHY} Why
 * @typedef {Pick<import("../session.js").State,
 *   "phase" | "code" | "answer" | "lastHeardAt" | "unansweredMs" | "source" | "tripMs" | "behindMs" | "changedAt">} Facts
 */

/** A picture that is younger needs no explanation. */
const OLD_MS = 1_000;

/**
 * The age of the picture in milliseconds, and the reason that makes it so old. 0 and null while there is none to speak of.
 *
 * @param {Facts} facts
 * @param {number} now  ms since the epoch
 * @param {boolean} online  the browser has a network, as far as it knows
 * @returns {[ageMs: number, why: Why | null]}
 */
export function pictureAge(facts, now, online) {
  const { phase, lastHeardAt, changedAt } = facts;
  if (lastHeardAt === null) return [0, null];
  if (phase !== "live") return atLeastOld(now - lastHeardAt, whyAway(facts, online));
  const [ageMs, why] = oldestOf(facts, now, online);
  if (ageMs >= OLD_MS) return [ageMs, why];
  return changedAt === null ? [0, null] : atLeastOld(now - changedAt, "noNews");
}

/** @param {number} ageMs @param {Why} why @returns {[number, Why | null]} */
const atLeastOld = (ageMs, why) => (ageMs >= OLD_MS ? [ageMs, why] : [0, null]);

/** What holds the picture up most, while there is a link. @param {Facts} facts @param {number} now @param {boolean} online @returns {[number, Why]} */
function oldestOf({ lastHeardAt, unansweredMs, source, tripMs, behindMs }, now, online) {
  /** @type {[number, Why][]} */
  const candidates = [
    [behindMs, "browser"],
    [tripMs, "slow"],
    [unansweredMs >= OLD_MS ? now - (lastHeardAt ?? now) : 0, online ? "silent" : "network"],
    [source && !source.here ? now - source.heardAt : 0, "source"],
  ];
  return candidates.reduce((oldest, each) => (each[0] > oldest[0] ? each : oldest));
}

/** Who has to come back. @param {Facts} facts @param {boolean} online @returns {Why} */
function whyAway({ phase, code, answer }, online) {
  if (phase === "offline") return "user";
  if (phase === "stopped") return "refused";
  if (answer !== null || code === CLOSE.GOING_AWAY) return "server";
  return online ? "away" : "network";
}

/**
 * What the details say of it.
 *
 * @param {Facts} facts
 * @param {number} now  ms since the epoch
 * @param {boolean} [online]
 */
export function describePicture(facts, now, online = globalThis.navigator?.onLine !== false) {
  const [ageMs, why] = pictureAge(facts, now, online);
  return why === null ? TEXTS.upToDate() : TEXTS.old(formatAge(ageMs), WHY[why]);
}
