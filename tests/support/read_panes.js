// Reads every pane of the page: what is drawn where it can be read from the document, React's properties for the rest.
const TRACE_MEMBERS = ['type', 'name', 'mode', 'x', 'y', 'z', 'text', 'labels', 'values'];

const propertiesOf = (node) => {
  const key = Object.keys(node).find((name) => /^__react(Fiber|InternalInstance)\$/.test(name));
  let fiber = key ? node[key] : null;
  while (fiber && !(fiber.memoizedProps && fiber.memoizedProps.id && 'contentID' in fiber.memoizedProps)) {
    fiber = fiber.return;
  }
  return fiber ? fiber.memoizedProps : null;
};

const image = (node) => {
  const picture = node.querySelector('img.content-image');
  // A picture whose bytes were not decoded is not shown.
  return { src: picture.complete && picture.naturalWidth ? picture.src : '(broken)', caption: picture.alt || '' };
};

const value = (cell) => {
  const input = cell.querySelector('input, select, button');
  if (!input) return cell.textContent;
  if (input.type === 'checkbox') return input.checked ? 'True' : 'False';
  return input.tagName === 'BUTTON' ? input.textContent : input.value;
};

// Whatever a person sees has to be drawn; a plot out of view may wait, with what it will show.
const tracesOf = (graph) => {
  const { top, bottom } = graph.getBoundingClientRect();
  const inView = bottom > 0 && top < innerHeight;
  return (!inView && window.visdomTransport?.plots?.waiting(graph)) || graph.data;
};

const CONTENT = {
  plot: (node) => {
    const graph = node.querySelector('.plotly-graph-div');
    const traces = graph && tracesOf(graph);
    if (!traces) return null;
    return traces.map((drawn) => {
      // A sample of a line knows all of it.
      const trace = drawn.toJSON ? drawn.toJSON() : drawn;
      const named = {};
      for (const member of TRACE_MEMBERS) {
        if (trace[member] !== undefined && trace[member] !== null) named[member] = trace[member];
      }
      return named;
    });
  },
  text: (node) => {
    const box = node.querySelector('.content-text');
    return (box.querySelector('.content-text-scroll-view > div') || box.firstElementChild).innerHTML;
  },
  image,
  image_history: image,
  properties: (node) =>
    Array.from(node.querySelectorAll('.table-properties tr'), (row) => [
      row.cells[0].textContent,
      value(row.cells[1]),
    ]),
};

const unread = [];
const panes = [];
for (const node of document.querySelectorAll('.react-grid-item .window')) {
  const properties = propertiesOf(node);
  const titles = node.querySelectorAll(':scope > .bar > div.pull-right');
  if (!properties || !titles.length) {
    unread.push(node.textContent.slice(0, 200));
    continue;
  }
  const read = CONTENT[properties.type];
  panes.push({
    id: properties.id,
    type: properties.type,
    title: titles[titles.length - 1].textContent,
    content: read ? read(node) : null,
  });
}
return { panes, unread };
