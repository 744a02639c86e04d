/**
 * Keeps an element at the bottom right of what a person sees of the page. On a phone, and zoomed in with two fingers, that is a part of
 * what `position: fixed` goes by: Visdom's page is wider than a phone.
 */

const MARGIN_PX = 12;

/**
 * @param {HTMLElement} element of fixed position
 * @param {HTMLElement} root  of the page: style sheets find there where the corner is
 * @param {VisualViewport | null} [viewport]
 * @returns {() => void} ends it
 */
export function followViewport(element, root, viewport = globalThis.visualViewport) {
  if (!viewport) return () => {};
  const place = () => {
    const { offsetLeft, offsetTop, width, height, scale } = viewport;
    const margin = MARGIN_PX / scale;
    Object.assign(element.style, {
      right: "auto",
      bottom: "auto",
      left: `${offsetLeft + width - margin}px`,
      top: `${offsetTop + height - margin}px`,
      // As large as ever, however far one has zoomed.
      transform: `scale(${1 / scale}) translate(-100%, -100%)`,
      transformOrigin: "0 0",
    });
    element.style.setProperty("--room", `${Math.round(width * scale)}px`);
    // For what is not ours to place.
    root.style.setProperty("--visdom-seen-left", `${offsetLeft}px`);
    root.style.setProperty("--visdom-seen-bottom", `${offsetTop + height}px`);
  };
  for (const type of ["resize", "scroll"]) viewport.addEventListener(type, place);
  place();
  return () => {
    for (const type of ["resize", "scroll"]) viewport.removeEventListener(type, place);
  };
}
