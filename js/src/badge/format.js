/** Ages, moments and numbers as the badge writes them. */

/** The largest unit that is not less than one. @param {number} ms */
export function formatAge(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/** The day is only said of another one. @param {number} ms @param {number} now */
export function formatMoment(ms, now) {
  const moment = new Date(ms);
  return moment.toDateString() === new Date(now).toDateString() ? moment.toLocaleTimeString() : moment.toLocaleString();
}

/** @param {number} number @param {string} thing */
export const formatCount = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
