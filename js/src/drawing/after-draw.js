/**
 * @typedef {(callback: () => void) => void} Drawn calls back once what was changed before the call is on the screen
 */

/**
 * After the next animation frame and the painting that follows it. In a hidden page there are no frames, so nothing is called back
 * until it is visible again.
 *
 * @param {object} options
 * @param {import("../page.js").Page} options.page
 * @param {import("../time.js").Time} options.time
 * @param {(callback: () => void) => void} [options.requestAnimationFrame]
 * @returns {Drawn}
 */
export function afterDraw({ page, time, requestAnimationFrame = (callback) => void globalThis.requestAnimationFrame(callback) }) {
  /** @type {(() => void)[]} */
  let waiting = [];
  let requested = false;

  function frame() {
    requested = false;
    const drawn = waiting;
    waiting = [];
    time.setTimeout(() => {
      for (const callback of drawn) callback();
    }, 0);
  }

  function request() {
    // Browsers hold frames of hidden pages back by themselves, but not all of them and not at once.
    if (waiting.length > 0 && !requested && !page.hidden) {
      requested = true;
      requestAnimationFrame(frame);
    }
  }

  page.listen((event) => {
    if (event === "visible") {
      request();
    }
  });
  return (callback) => {
    waiting.push(callback);
    request();
  };
}

/**
 * In a task of its own. In a hidden page with its next frame, so once it is visible.
 *
 * @param {object} options
 * @param {Pick<import("../page.js").Page, "hidden">} options.page
 * @param {import("../time.js").Time} options.time
 * @param {(callback: () => void) => void} [options.requestAnimationFrame]
 * @returns {(run: () => void) => void}
 */
export function whileVisible({
  page,
  time,
  requestAnimationFrame = (callback) => void globalThis.requestAnimationFrame(callback),
}) {
  return (run) => {
    if (page.hidden) requestAnimationFrame(run);
    else time.setTimeout(run, 0);
  };
}
