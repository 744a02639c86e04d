/**
 * When the bundle is given something: at once if it has nothing to draw, and not again before it has drawn what it was given. So it
 * draws at most once per frame, and whoever publishes now and then does not wait for a frame before the one that shows it.
 */

/** @typedef {import("../drawing/after-draw.js").Drawn} Drawn */

export class Frames {
  #soon;
  #requestFrame;
  #afterDraw;
  #flush;
  #process;
  /** There is something to flush. */ #due = false;
  #requested = false;
  /** The bundle is still drawing what the last flush delivered. */ #drawing = false;
  /** Whoever waits for the next flush to be drawn. @type {(() => void)[]} */ #waiting = [];
  /** Whoever waits for the last one. @type {(() => void)[] | null} */ #last = null;

  /**
   * @param {object} options
   * @param {(run: () => void) => void} options.soon in a task of its own, while the page is visible
   * @param {(run: () => void) => void} options.requestFrame
   * @param {Drawn} options.afterDraw
   * @param {() => boolean} options.flush delivers what there is, or a part of it, and returns whether that was all
   * @param {() => boolean} options.process has the bundle render what was delivered, and returns whether there was anything
   */
  constructor({ soon, requestFrame, afterDraw, flush, process }) {
    this.#soon = soon;
    this.#requestFrame = requestFrame;
    this.#afterDraw = afterDraw;
    this.#flush = flush;
    this.#process = process;
  }

  /** There is something to deliver. */
  schedule() {
    this.#due = true;
    // The bundle may draw in tasks of its own: they come before the frame after the next, if not before the next.
    if (!this.#drawing) this.#request(this.#soon, (callback) => this.#requestFrame(() => this.#afterDraw(callback)));
  }

  /** @param {(run: () => void) => void} when @param {Drawn} afterDraw */
  #request(when, afterDraw) {
    if (this.#requested) return;
    this.#requested = true;
    when(() => {
      this.#requested = false;
      this.#run(afterDraw);
    });
  }

  /**
   * Calls back once what was scheduled until now is drawn. Nothing is flushed while the bundle is still drawing, so a slow Plotly slows
   * whoever waits for this, and versions that come meanwhile replace each other in the replica.
   *
   * @type {Drawn}
   */
  drawn = (callback) => {
    if (this.#due) this.#waiting.push(callback);
    else if (this.#last) this.#last.push(callback);
    else this.#afterDraw(callback);
  };

  /** @param {Drawn} afterDraw */
  #run(afterDraw) {
    this.#due = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    let complete = true;
    try {
      complete = this.#flush();
    } finally {
      const drawing = this.#process();
      this.#drawing ||= drawing;
      this.#due ||= !complete;
      if (!complete) this.#waiting = [...waiting.splice(0), ...this.#waiting];
      this.#last = waiting;
      afterDraw(() => this.#end(waiting, drawing));
    }
  }

  /** @param {(() => void)[]} drawn whoever has waited @param {boolean} drawing whether the bundle had anything to draw */
  #end(drawn, drawing) {
    if (this.#last === drawn) this.#last = null;
    if (drawing) this.#drawing = false;
    if (this.#due) this.#request(this.#requestFrame, this.#afterDraw);
    for (const each of drawn) each();
  }
}
