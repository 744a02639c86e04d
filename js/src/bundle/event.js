/**
 * What a page tells Python handlers of a pane, without the pane: the server adds what it holds, whatever the page sent. Of a large
 * image the copy would be more than the server takes. `pane_data: false` says that handlers do not want it, and stays.
 *
 * @template {any} T
 * @param {T} command of the bundle
 * @returns {T}
 */
export function withoutPane(command) {
  const { cmd, data } = /** @type {any} */ (command) ?? {};
  if (cmd !== "forward_to_vis" || data?.pane_data === undefined || data.pane_data === false) return command;
  const { pane_data: _, ...event } = data;
  return { .../** @type {any} */ (command), data: event };
}
