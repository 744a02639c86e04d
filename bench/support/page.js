// Runs in a page before anything else: notes what is on the screen since when, how long the main thread was busy, and what came in.
(() => {
  const notes = (window.bench = { drawn: [], longTasks: [], drawMs: [], receivedBytes: 0, clickMs: [], plots: [] });
  const now = () => performance.timeOrigin + performance.now();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) notes.longTasks.push(duration);
  }).observe({ type: "longtask" });

  /** On the screen: after the next frame and the task that follows it. */
  const onScreen = (marks) => requestAnimationFrame(() => setTimeout(() => marks.forEach((mark) => notes.drawn.push([now(), mark]))));

  let plotly;
  Object.defineProperty(window, "Plotly", {
    configurable: true,
    get: () => plotly,
    set(value) {
      plotly = value;
      for (const name of ["newPlot", "react"]) {
        const native = value[name];
        value[name] = function (id, data, ...rest) {
          const began = performance.now();
          const result = native.call(this, id, data, ...rest);
          notes.drawMs.push(performance.now() - began);
          onScreen([data?.[0]?.y?.at(-1)]);
          const plot = typeof id === "string" ? id : id.id;
          requestAnimationFrame(() => setTimeout(() => notes.plots.push([now(), plot])));
          return result;
        };
      }
    },
  });

  new MutationObserver((mutations) => {
    const texts = mutations.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.textContent.slice(0, 40)));
    const marks = texts.map((text) => text.match(/mark-\d+-\d+/)?.[0]).filter(Boolean);
    if (marks.length > 0) onScreen(marks);
  }).observe(document, { childList: true, subtree: true });

  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => (notes.receivedBytes += data.length));
    }
  };

  addEventListener("click", ({ timeStamp }) => requestAnimationFrame(() => setTimeout(() => notes.clickMs.push(performance.now() - timeStamp))), true);
})();
