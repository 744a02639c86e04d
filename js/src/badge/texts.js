/** What the badge says, in words. */

import { formatCount } from "./format.js";

export const TEXTS = {
  live: () => "live",
  /** @param {string} age @param {number} changes */
  behind: (age, changes) => `behind by ${age}${changes ? ` (${formatCount(changes, "change")})` : ""}`,
  /** @param {string} time */
  noAnswer: (time) => `no answer for ${time}`,
  unanswered: () => "no answer",
  fallenBehind: () => "behind",
  /** @param {string} time */
  noSource: (time) => `no source for ${time}`,
  cutOff: () => "no source",
  /** @param {string} url */
  relay: (url) => `a relay of ${url}`,
  here: () => "there",
  /** @param {string} time */
  lastHeard: (time) => `away, last heard ${time} ago`,
  connecting: () => "connecting",
  reconnecting: () => "reconnecting",
  /** @param {number} seconds */
  reconnectingIn: (seconds) => `reconnecting in ${seconds} s`,
  resumed: () => "resumed",
  reconnected: () => "reconnected",
  polling: () => "polling",
  offline: () => "offline (click the button to reconnect)",
  /** @param {string} reason */
  stopped: (reason) => `disconnected: ${reason}`,
  unauthorized: () => "signed out",
  /** @param {string} what */
  answered: (what) => `${what} instead of the server's answer`,
  /** @param {string} what */
  signIn: (what) => `${TEXTS.answered(what)}: you may have to sign in again`,
  signInAgain: () => "sign in again",
  /** @param {string} age */
  age: (age) => `data is ${age} old`,
  upToDate: () => "up to date",
  /** @param {string} age @param {string} why */
  old: (age, why) => `${age} old: ${why}`,
  /** @param {number} number */
  pending: (number) => (number === 1 ? "1 action waits to be sent" : `${number} actions wait to be sent`),
  /** @param {number} drawn @param {number} plots */
  drawn: (drawn, plots) => `${drawn.toLocaleString("en")} of ${plots.toLocaleString("en")} drawn`,
  /** @param {number} sampled @param {number} plots @param {number} points */
  sampled: (sampled, plots, points) => {
    const some = `${sampled.toLocaleString("en")} of ${formatCount(plots, "plot")}`;
    return `${some} at up to 1 : ${points.toLocaleString("en")}, zoom for detail`;
  },
  restarted: () => "server restarted",
  restored: () => "server restarted: state restored",
  /** @param {number} windows @param {string} since */
  kept: (windows, since) =>
    `the server lost ${formatCount(windows, "window")} (last seen there ${since}): shown until this tab is closed or reloaded`,
  /** @param {string} message */
  refused: (message) => `refused: ${message}`,
  hurry: () => "reconnect now",
  dismiss: () => "take off what the server lost",
};

/** Labels of the details. */
export const DETAILS = {
  connection: "connection",
  servedBy: "served by",
  source: "its source",
  roundTrip: "round trip",
  picture: "picture",
  drawing: "drawing",
  plots: "plots",
  detail: "detail",
  conflated: "skipped for newer ones",
  lastReturn: "last reconnect",
};
/** Why the picture is old. */
export const WHY = {
  noNews: "nothing new since",
  browser: "your browser has not drawn what came since",
  slow: "your network is slow",
  network: "your network is away",
  silent: "your network or the server does not answer",
  away: "your network or the server is away",
  server: "the server is away",
  source: "the server is away, a relay shows its last state",
  refused: "the server has ended the connection",
  user: "you have disconnected",
};
export const LINKS = { websocket: "WebSocket", poll: "long polling" };
