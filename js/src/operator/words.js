/** What the operator's page says of each row: what is wrong, what to do about it, and how bad it is. */

import { formatAge, formatCount } from "../badge/format.js";

/**
 * @typedef {Record<string, any>} Row  as the server's feed has it (docs/monitoring.md)
 * @typedef {{hurts: number, text: string}} Note  `hurts` is 0 where all is well; more is worse
 */

/** A picture that is older is late, and one that is older still is stuck. */
const LATE_S = 1;
const STUCK_S = 5;
/** Who sends something regularly is missed when nothing came for so many times as long as usual, and at least for so long. */
const SILENT_TIMES = 10;
const SILENT_S = 2;
const FULL = 0.8;

/** @type {Note} */
const WELL = { hurts: 0, text: "" };
/** @param {number} seconds */
export const age = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : formatAge(seconds * 1000));

/** @param {Row} row @returns {Note} */
export function ofSession(row) {
  if (row.link === null) {
    return { hurts: 0.5, text: `away for ${age(row.seen_s_ago)}: it comes back by itself, or is forgotten` };
  }
  if (row.relay !== null) return ofProblems(row);
  if (row.picture_age_s === null) return { hurts: 0, text: "hidden: it is sent nothing until somebody looks" };
  if (row.picture_age_s < LATE_S) return ofProblems(row);
  const old = `its picture is ${age(row.picture_age_s)} old`;
  const hurts = row.picture_age_s;
  if (row.role !== "browser")
    return { hurts, text: `its handlers are at an event of ${age(row.picture_age_s)} ago: they may hang` };
  const isStuck = row.picture_age_s >= STUCK_S && row.in_flight_bytes > 0 && (row.drawn_s_ago ?? STUCK_S) >= STUCK_S;
  if (isStuck) return { hurts, text: `${old}, and it draws nothing: its browser or network is stuck, reload that tab` };
  return { hurts, text: `${old}: its network or browser is slower than the data, publish less often or look at its network` };
}

/** @param {Row} row @returns {Note} */
function ofProblems({ problems }) {
  if (problems.length === 0) return WELL;
  return {
    hurts: 0,
    text: problems.map((/** @type {any[]} */ [name, count, advice]) => `${name} ${count}: ${advice}`).join("; "),
  };
}

/** @param {Row} row @returns {Note} */
export function ofPublisher(row) {
  if (row.refused > 0) {
    return {
      hurts: Math.min(9, 2 + row.refused),
      text: `${formatCount(row.refused, "message")} refused (${row.last_refusal}): correct that program`,
    };
  }
  const isMissed = row.interval_s !== null && row.heard_s_ago >= Math.max(SILENT_S, SILENT_TIMES * row.interval_s);
  if (!isMissed) return WELL;
  return { hurts: 1, text: `has sent nothing for ${age(row.heard_s_ago)}: if it should, look whether that program still runs` };
}

/** @param {Row} row @returns {Note} */
export function ofLimit({ used, limit }) {
  const share = used / limit;
  if (share < FULL) return WELL;
  return { hurts: 10 * share, text: "nearly full: raise it, or find out who uses it up" };
}

/** @param {Row} row @returns {Note} */
export function ofDisk(row) {
  if (!row.well)
    return {
      hurts: 100,
      text: `cannot be written (${row.text}): free space or mend the directory. What changes is not kept until then`,
    };
  return { hurts: row.last_error === null ? 0 : 1, text: row.last_error ?? row.text };
}

/** @param {Row} row @returns {Note} */
export function ofRelay(row) {
  if (row.state === "here") return WELL;
  return { hurts: 20, text: `away for ${age(row.seen_s_ago)}: look at its machine; its viewers go to another relay` };
}

/** @param {Row} server @returns {Note} */
export function ofServer({ failing }) {
  const texts = Object.entries(failing).map(([name, text]) => `${name}: ${text}`);
  return texts.length ? { hurts: 100, text: texts.join("; ") } : WELL;
}

/** The sentence at the top. @param {Row | undefined} summary */
export function summarise(summary) {
  if (!summary) return "";
  const { watching, current, oldest_s, at_relays, away } = summary;
  const seen = watching
    ? `${current} of ${formatCount(watching, "viewer")} ${watching === 1 ? "sees" : "see"} what is at most 1 s old`
    : "nobody looks at a window of this server";
  const rest = [
    current < watching && `the oldest picture is ${age(oldest_s)}`,
    at_relays && `${formatCount(at_relays, "viewer")} at relays`,
    away && `${away} away`,
  ];
  return [seen, ...rest.filter(Boolean)].join("; ");
}
