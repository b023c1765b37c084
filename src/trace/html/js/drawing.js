// The drawing under the rows: lifelines, work, arrows and marks, as paths. It is made anew whenever the view changes.

import { KIND, MARK } from "./data.js";
import { svg } from "./dom.js";

export class Drawing {
  constructor(root) {
    this.root = root;
  }

  /** A drawing of this size whose first pixel is `top` of the layout; `offset` leads from the layout to the page. */
  begin(width, height, top, offset) {
    Object.assign(this, { top, lines: new Map(), works: new Map(), front: [] });
    this.root.setAttribute("width", width);
    this.root.setAttribute("height", height);
    this.root.style.top = `${top + offset}px`;
  }

  end() {
    const lines = [...this.lines].map(([name, d]) => svg("path", { class: name, d }));
    const works = [...this.works].map(([classes, { d }]) => svg("path", { class: `work ${classes}`, d }));
    this.root.replaceChildren(...lines, ...works, ...this.front);
  }

  /** A piece of a lifeline. All pieces of a class are one path: a worker may have had thousands of processes. */
  line(name, x, y1, y2) {
    if (y2 <= y1) return;
    this.lines.set(name, `${this.lines.get(name) ?? ""}M${half(x)} ${this.y(y1)}V${this.y(y2)}`);
  }

  /** A time of work: a box on the lifeline. All boxes of a class are one path; too short ones are joined. */
  work(classes, x, y1, y2) {
    const boxes = this.works.get(classes) ?? { d: "", until: -Infinity };
    this.works.set(classes, boxes);
    const [from, to] = [this.y(Math.max(y1, boxes.until)), this.y(Math.max(y2, y1 + 2))];
    if (to - from < 1) return;
    boxes.until = Math.max(y2, y1 + 2);
    boxes.d += `M${half(x) - 4} ${from}h8V${to}h-8Z`;
  }

  arrow(classes, x1, y1, x2, y2, size) {
    const side = Math.sign(x2 - x1);
    const [from, to] = [half(x1) + 4.5 * side, half(x2) - 4.5 * side];
    const [a, b] = [this.y(y1), this.y(y2)];
    const shaft = svg("path", { class: "shaft", d: `M${from} ${a}L${to - (size - 1) * side} ${b}` });
    const back = to - size * 1.3 * side;
    const tip = svg("path", { class: "tip", d: `M${to} ${b}L${back} ${b - size * 0.6}V${b + size * 0.6}Z` });
    this.front.push(svg("g", { class: classes }, shaft, tip));
  }

  /** A step within one party: a cross for a death, a ring for a start, a dot, a square or a rhomb for the rest. */
  mark(classes, x, y, mark, kind, size) {
    const [cx, cy] = [half(x), this.y(y)];
    const shape = SHAPES[shapeOf(mark, kind)](cx, cy, size);
    this.front.push(svg("g", { class: classes }, shape));
  }

  y(place) {
    return Math.round((place - this.top) * 10) / 10;
  }
}

/** Lines of one pixel are sharp between two pixels. */
function half(x) {
  return Math.round(x) + 0.5;
}

function shapeOf(mark, kind) {
  if (mark === MARK.died) return "cross";
  if (mark === MARK.ended) return "square";
  if (mark === MARK.started || mark === MARK.ready) return "ring";
  return kind === KIND.order || kind === KIND.signal ? "rhomb" : "dot";
}

const SHAPES = {
  cross: (x, y, r) =>
    svg("path", { class: "cross", d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}` }),
  square: (x, y, r) =>
    svg("rect", { class: "square", x: x - r * 0.8, y: y - r * 0.8, width: r * 1.6, height: r * 1.6 }),
  ring: (x, y, r) => svg("circle", { class: "ring", cx: x, cy: y, r: r * 0.8 }),
  rhomb: (x, y, r) => svg("path", { class: "rhomb", d: `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z` }),
  dot: (x, y, r) => svg("circle", { class: "dot", cx: x, cy: y, r: r * 0.6 }),
};
