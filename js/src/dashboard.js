/** What a page with Visdom's dashboard has of ours, whoever shows the panes. */

import { Badge } from "./badge/badge.js";
import { Indicator } from "./badge/indicator.js";
import { followViewport } from "./badge/placement.js";
import { TEXTS } from "./badge/texts.js";
import { Bundle } from "./bundle/adapter.js";
import { afterDraw, whileVisible } from "./drawing/after-draw.js";
import { browserPage } from "./page.js";
import { Plots } from "./plots/plots.js";
import { Sampler } from "./sampling/sampler.js";
import { Session } from "./session.js";
import { browserTime } from "./time.js";

/** It takes a while to read why an environment cannot be shown. */
const PROBLEM_MS = 20_000;

/** Path of the page's server with the slash at its end, as Visdom's bundle finds it. @param {string} path */
export const rootOf = (path) => path.split("/env/")[0].split("/compare/")[0].replace(/\/?$/, "/");

/** @typedef {{session: Session, bundle: Bundle, plots: Plots, sampler: Sampler, badge: Badge, close: () => void}} Dashboard */

/**
 * Opens the session of this page and shows how it is. `close` ends it and takes everything off the page again.
 *
 * @param {{root: string, startWithPolling: boolean}} options
 * @returns {Dashboard}
 */
export function openDashboard({ root, startWithPolling }) {
  /** @type {(() => void)[]} */
  const endings = [];
  /** @type {import("./page.js").Page} */
  const page = {
    get hidden() {
      return browserPage.hidden;
    },
    listen(listener) {
      const end = browserPage.listen(listener);
      endings.push(end);
      return end;
    },
  };
  const session = new Session({
    baseUrl: root.slice(0, -1),
    role: "browser",
    startWithPolling,
    page,
    drawn: (callback) => bundle.drawn(callback),
  });
  const plots = new Plots({ plotly: /** @type {any} */ (globalThis).Plotly, onnear: () => bundle.look() });
  const sampler = new Sampler({ redraw: (element) => plots.redraw(element), isFull: (id) => bundle.isFull(id) });
  plots.prepare = sampler.prepare;
  plots.depict = sampler.depict;
  const painted = afterDraw({ page, time: browserTime });
  const bundle = new Bundle({
    session,
    soon: whileVisible({ page, time: browserTime }),
    // What is out of view holds up nothing.
    afterDraw: (callback) => painted(() => plots.afterView(callback)),
    isNear: (contentID) => plots.isNear(contentID),
    onerror: (error, command) => {
      console.warn(`visdom-transport: ${command.cmd} was refused (${error.code}): ${error.message}`);
      badge.notice(TEXTS.refused(error.message));
    },
    onproblem: (text) => {
      console.warn(`visdom-transport: ${text}`);
      badge.notice(text, { ms: PROBLEM_MS });
    },
    onrestarted: ({ restored, lost }) =>
      lost || badge.notice(restored ? TEXTS.restored() : TEXTS.restarted(), { untilOutage: true }),
    onkept: () => badge.refresh(),
  });
  const badge = new Badge({
    document,
    read: () => session.state,
    onhurry: () => session.reconnectNow(),
    pendingCommands: () => session.pendingCommands,
    kept: () => bundle.kept,
    plots: () => ({ ...plots.counts, sampled: sampler.facts }),
    ondismiss: () => bundle.dismissKept(),
    onsignin: () => location.reload(),
  });
  endings.push(followViewport(badge.element, document.documentElement));
  const indicator = new Indicator(document);

  /** @param {import("./session.js").State} state */
  session.onstate = (state) => {
    bundle.update();
    indicator.show(state);
    badge.show(state);
  };
  session.start();
  const print = () => plots.drawAll();
  addEventListener("beforeprint", print);
  endings.push(() => removeEventListener("beforeprint", print));

  return {
    session,
    bundle,
    plots,
    sampler,
    badge,
    close() {
      session.onstate = () => {};
      session.close();
      plots.close();
      for (const end of endings) end();
      badge.remove();
      indicator.remove();
    },
  };
}
