/**
 * What happens to the page, as one source of events.
 *
 * @typedef {"visible" | "hidden" | "online" | "offline" | "pagehide" | "pageshow" | "freeze" | "resume"} PageEvent
 * @typedef {object} Page
 * @property {boolean} hidden
 * @property {(listener: (event: PageEvent) => void) => () => void} listen returns the function that ends listening
 */

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
    return () => ending.abort();
  },
};
