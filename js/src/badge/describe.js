/** How a session's state is put into words. */

import { CLOSE } from "../protocol.js";
import { describePicture } from "./age.js";
import { formatAge, formatCount } from "./format.js";
import { DETAILS, LINKS, TEXTS } from "./texts.js";

/**
 * @typedef {Pick<import("../session.js").State, "phase" | "link" | "nextAttemptAt" | "code" | "reason" | "answer" | "lastHeardAt" | "unansweredMs" | "source" | "resumed"
 *   | "roundTripMs" | "tripMs" | "behindMs" | "behindChanges" | "changedAt" | "conflated" | "lastReturn">} LinkState
 * @typedef {{plots: number, drawn: number, sampled: {plots: number, points: number} | null}} PlotCounts
 *   the plots that the page has, those of them that are drawn, and those whose lines are drawn from some of their points, one of up to
 *   so many
 * @typedef {{text: string, spoken: string, quiet: boolean}} Description `text` for the eye, `spoken` for a screen reader (without what counts)
 */

/** Data older than this is called old. */
const STALE_MS = 5_000;
/** A page that has waited longer to draw what it holds is called behind. */
const BEHIND_MS = 2_000;
/** A server that was asked and has not answered for longer is not called live. */
const SLOW_ANSWER_MS = 3_000;

/**
 * What the badge says about a link.
 *
 * @param {LinkState} state
 * @param {number} now  ms since the epoch
 * @param {number} pendingCommands
 * @returns {Description}
 */
export function describe(state, now, pendingCommands = 0) {
  const main = describePhase(state, now);
  const waiting = pendingCommands ? [TEXTS.pending(pendingCommands)] : [];
  if (state.phase === "live") {
    // Commands wait where the source is missing, and hardly anywhere else.
    return isCutOff(state) ? { ...main, text: [main.text, ...waiting].join(" · ") } : main;
  }
  const answered = describeAnswer(state);
  /** What a person can do something about comes first. @param {string} link */
  const both = (link) => (needsSignIn(state) ? [answered, link] : [link, answered]).filter(Boolean);
  const more = both(main.text);
  const age = state.lastHeardAt === null ? 0 : now - state.lastHeardAt;
  if (age >= STALE_MS) more.push(TEXTS.age(formatAge(age)));
  return { ...main, text: [...more, ...waiting].join(" · "), spoken: both(main.spoken).join(". ") };
}

/** Whether the page is served from copies of what is not there. @param {Pick<LinkState, "phase" | "source">} state */
export function isCutOff({ phase, source }) {
  return phase === "live" && source !== null && !source.here;
}

/** Whether somebody has to sign in, as far as one can tell: here, or at what answers in the server's place. @param {LinkState} state */
export function needsSignIn({ phase, code, answer }) {
  if (phase === "stopped") return code === CLOSE.UNAUTHORIZED;
  return (phase === "waiting" || phase === "connecting") && answer !== null && answer.asksToSignIn;
}

/** What answers in the server's place, if anything. @param {LinkState} state */
function describeAnswer({ phase, answer }) {
  if (!answer || phase === "offline") return "";
  return answer.asksToSignIn ? TEXTS.signIn(answer.what) : TEXTS.answered(answer.what);
}

/** @param {LinkState} state @param {number} now @returns {Description} */
function describePhase(state, now) {
  /** @param {string} text */
  const say = (text, spoken = text) => ({ text, spoken, quiet: false });
  switch (state.phase) {
    case "live":
      if (state.unansweredMs >= SLOW_ANSWER_MS) return say(TEXTS.noAnswer(formatAge(state.unansweredMs)), TEXTS.unanswered());
      if (state.source && !state.source.here) return say(TEXTS.noSource(formatAge(now - state.source.heardAt)), TEXTS.cutOff());
      if (state.behindMs >= BEHIND_MS) {
        return say(TEXTS.behind(formatAge(state.behindMs), state.behindChanges), TEXTS.fallenBehind());
      }
      return state.link === "poll" ? say(TEXTS.polling()) : { text: TEXTS.live(), spoken: "", quiet: true };
    case "waiting": {
      const seconds = Math.ceil(((state.nextAttemptAt ?? now) - now) / 1000);
      return say(seconds > 0 ? TEXTS.reconnectingIn(seconds) : TEXTS.reconnecting(), TEXTS.reconnecting());
    }
    case "offline":
      return say(TEXTS.offline());
    case "stopped":
      return say(state.code === CLOSE.UNAUTHORIZED ? TEXTS.unauthorized() : TEXTS.stopped(state.reason ?? String(state.code)));
    default:
      return say(state.lastHeardAt === null ? TEXTS.connecting() : TEXTS.reconnecting());
  }
}

/**
 * What the details say: label and text.
 *
 * @param {LinkState} state
 * @param {PlotCounts} counts
 * @param {number} now  ms since the epoch
 * @param {(ms: number) => string} formatTime
 * @returns {[string, string][]}
 */
export function details(state, { plots, drawn, sampled }, now, formatTime = (ms) => new Date(ms).toLocaleTimeString()) {
  const { link, phase, roundTripMs, behindMs, behindChanges, conflated, lastReturn } = state;
  const back =
    lastReturn &&
    `${formatTime(lastReturn.at)}, after ${formatAge(lastReturn.awayMs)}, ${lastReturn.resumed ? "resumed" : "new session"}`;
  return [
    [DETAILS.connection, phase === "live" && link ? LINKS[link] : "none"],
    ...describeSource(state, now),
    [DETAILS.roundTrip, roundTripMs === null ? "not known" : `${Math.round(roundTripMs)} ms`],
    [DETAILS.picture, describePicture(state, now)],
    [DETAILS.drawing, behindMs >= BEHIND_MS ? TEXTS.behind(formatAge(behindMs), behindChanges) : TEXTS.upToDate()],
    [DETAILS.plots, plots ? TEXTS.drawn(drawn, plots) : "none"],
    [DETAILS.detail, sampled ? TEXTS.sampled(sampled.plots, plots, sampled.points) : "every point"],
    [DETAILS.conflated, formatCount(conflated, "update")],
    [DETAILS.lastReturn, back ?? "none"],
  ];
}

/** What serves the page, where that is not the server that it follows. @param {LinkState} state @param {number} now @returns {[string, string][]} */
function describeSource({ source }, now) {
  if (!source) return [];
  const age = source.here ? TEXTS.here() : TEXTS.lastHeard(formatAge(now - source.heardAt));
  return [
    [DETAILS.servedBy, TEXTS.relay(source.url)],
    [DETAILS.source, age],
  ];
}
