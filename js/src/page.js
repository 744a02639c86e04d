import { Alarm, browserTime } from "./time.js";

/**
 * What happens to the page, as one source of events.
 *
 * @typedef {"visible" | "hidden" | "online" | "offline" | "pagehide" | "pageshow" | "freeze" | "resume" | "wake"} PageEvent
 * @typedef {object} Page
 * @property {boolean} hidden
 * @property {(listener: (event: PageEvent) => void) => () => void} listen returns the function that ends listening
 */

/** A timer that is this late says that the machine was asleep: no event does. */
const ASLEEP_MS = 4_000;
const LOOK_EVERY_MS = 2_000;

/**
 * Tells when the machine wakes up: alarms do not go on while it sleeps, so they would ring as much later as they have left.
 *
 * @param {import("./time.js").Time} time
 * @param {() => void} woken
 * @returns {() => void} ends the watch
 */
export function watchSleep(time, woken) {
  const alarm = new Alarm(time);
  const look = (/** @type {number} */ since) =>
    alarm.set(LOOK_EVERY_MS, () => {
      const now = time.now();
      look(now);
      if (now - since >= LOOK_EVERY_MS + ASLEEP_MS) {
        woken();
      }
    });
  look(time.now());
  return () => alarm.clear();
}

/** @type {Page} */
export const browserPage = {
  get hidden() {
    return globalThis.document?.visibilityState === "hidden";
  },

  listen(listener) {
    const { document, window } = globalThis;
    if (document === undefined || window === undefined) {
      return () => {};
    }
    const ending = new AbortController();
    const { signal } = ending;
    document.addEventListener("visibilitychange", () => listener(browserPage.hidden ? "hidden" : "visible"), { signal });
    for (const name of /** @type {PageEvent[]} */ (["freeze", "resume"])) {
      document.addEventListener(name, () => listener(name), { signal });
    }
    for (const name of /** @type {PageEvent[]} */ (["online", "offline", "pagehide", "pageshow"])) {
      window.addEventListener(name, () => listener(name), { signal });
    }
    // A hidden page is looked at seldom by its timers, and checked anyway when it is shown.
    const awake = watchSleep(browserTime, () => browserPage.hidden || listener("wake"));
    return () => {
      ending.abort();
      awake();
    };
  },
};
