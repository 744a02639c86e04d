/** Which window a command of the bundle is about. */

/** @typedef {import("./requests.js").View} View */

/** Where the id of the pane stands: in the command itself or in its data. @type {Record<string, (command: any) => [holder: any, field: string]>} */
const AIMS = {
  close: (command) => [command, "data"],
  layout_item_update: (command) => [command, "win"],
  update_plot_layout: (command) => [command, "win"],
  update_comment: (command) => [command, "win"],
  forward_to_vis: (command) => [command.data, "target"],
  pop_embeddings_pane: (command) => [command.data, "target"],
};

/** @param {any} command @returns {[holder: any, field: string]} no holder if it is about no pane */
const aimOf = (command) => (Object.hasOwn(AIMS, command.cmd) ? AIMS[command.cmd](command) : [null, ""]);

/** The pane it is about, or null. @param {any} command @returns {string | null} */
export function paneOf(command) {
  const [holder, field] = aimOf(command);
  return holder?.[field] ?? null;
}

/**
 * A command from a compare view, aimed at the window behind the pane; null if there is none.
 * 0.2.4's bundle names no environment there, 0.3.0's always the first.
 *
 * @param {any} command
 * @param {View} view
 * @param {string[]} known  environments
 */
export function locate(command, view, known) {
  const [holder, field] = aimOf(command);
  if (!holder) return command;
  const pane = holder[field];
  if (pane === "window_compare_legend") return null;
  const other = view.envs.find((env) => pane.startsWith(`${env}_env_`));
  const env = other ?? view.envs.find((name) => known.includes(name));
  if (env === undefined) return null;
  const aimed = { ...holder, eid: env, [field]: other === undefined ? pane : pane.slice(`${other}_env_`.length) };
  return holder === command ? aimed : { ...command, data: aimed };
}
