/** The dot that the embeddings pane of Visdom's bundle fetches from another site. */

const SPRITE = /\/circle-sprite\.png$/;

/** A white disc with a soft edge, as the pane expects. @returns {string} data URL */
function drawSprite() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#fff";
  context.beginPath();
  context.arc(32, 32, 30, 0, 2 * Math.PI);
  context.fill();
  return canvas.toDataURL();
}

/**
 * Lets images of that address show our own dot. Without it every point of the pane is transparent when the other site is out of reach.
 *
 * @param {HTMLImageElement} prototype  of images
 */
export function serveSprite(prototype) {
  const native = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(prototype, "src"));
  Object.defineProperty(prototype, "src", {
    ...native,
    /** @param {string} address */
    set(address) {
      native.set?.call(this, SPRITE.test(address) ? drawSprite() : address);
    },
  });
}
