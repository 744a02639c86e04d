/** When the bundle is given something: once per frame, and not again before it has drawn what it was given. */

/** @typedef {import("../drawing/after-draw.js").Drawn} Drawn */

export class Frames {
  #requestFrame;
  #afterDraw;
  #flush;
  #process;
  /** There is something to flush. */ #due = false;
  #requested = false;
  /** The bundle is still drawing what the last flush delivered. */ #drawing = false;
  /** Whoever waits for the next flush to be drawn. @type {(() => void)[]} */ #waiting = [];

  /**
   * @param {object} options
   * @param {(run: () => void) => void} options.requestFrame
   * @param {Drawn} options.afterDraw
   * @param {() => boolean} options.flush delivers what there is, or a part of it, and returns whether that was all
   * @param {() => boolean} options.process has the bundle render what was delivered, and returns whether there was anything
   */
  constructor({ requestFrame, afterDraw, flush, process }) {
    this.#requestFrame = requestFrame;
    this.#afterDraw = afterDraw;
    this.#flush = flush;
    this.#process = process;
  }

  /** There is something to deliver. */
  schedule() {
    this.#due = true;
    if (this.#requested || this.#drawing) return;
    this.#requested = true;
    this.#requestFrame(() => {
      this.#requested = false;
      this.#run();
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
    else this.#afterDraw(callback);
  };

  #run() {
    this.#due = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    let complete = true;
    try {
      complete = this.#flush();
    } finally {
      const drawing = this.#process();
      this.#drawing ||= drawing;
      if (!complete) {
        this.#due = true;
        this.#waiting = [...waiting, ...this.#waiting];
      }
      this.#afterDraw(() => {
        if (drawing) this.#drawing = false;
        if (this.#due) this.schedule();
        if (complete) for (const drawn of waiting) drawn();
      });
    }
  }
}
