// Making elements. Text from the trace only ever becomes a text node or the value of an attribute that runs nothing.

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

/** An element. `properties`: attributes; null leaves one out. Children: nodes or texts. */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(node, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** The class that gives a worker its colour. Colours come again after eight workers. */
export function workerClass(party) {
  return party > 0 ? `w${((party - 1) % 8) + 1}` : "w0";
}

/** `action`, at most once a frame. */
export function onceAFrame(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      action();
    });
  };
}
