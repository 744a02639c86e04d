/** Dates as Plotly writes and reads them. */

const DATE = /^([1-9]\d{3})-(\d\d)-(\d\d)(?:[ T](\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?(?:Z|[+-]\d\d(?::?\d\d)?)?)?)?$/;
const MINUTE_MS = 60_000;

/**
 * When that is, in milliseconds; NaN for what is surely no date, or might not be one. A time zone is not respected: Plotly does not either.
 *
 * @param {unknown} text
 * @returns {number}
 */
export function parseDate(text) {
  const match = typeof text === "string" ? DATE.exec(text) : null;
  if (!match) return NaN;
  const [year, month, day, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => (part === undefined ? part : Number(part)));
  if (hour > 23 || minute > 59 || second >= 60) return NaN;
  const date = new Date(Date.UTC(/** @type {number} */ (year), /** @type {number} */ (month) - 1, day));
  // The 30th of February is another day by now.
  if (date.getUTCMonth() + 1 !== month || date.getUTCDate() !== day) return NaN;
  return date.getTime() + (hour * 60 + minute) * MINUTE_MS + second * 1000;
}
