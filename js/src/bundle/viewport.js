/**
 * Whether a person could see a pane, or nearly.
 *
 * @param {Window} window of the page
 * @param {string} contentID of a window that the bundle has drawn
 * @returns {boolean} true when that is not known: only plots, which are what costs, carry their content id in the page
 */
export function isNearViewport({ document, innerHeight }, contentID) {
  const element = document.getElementById(contentID);
  if (element === null) return true;
  const { top, bottom } = element.getBoundingClientRect();
  const margin = innerHeight / 2;
  return bottom > -margin && top < innerHeight + margin;
}
