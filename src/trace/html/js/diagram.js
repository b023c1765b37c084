// The sequence diagram: what of it is in view, as rows of text (the list that a screen reader reads) over one drawing.

import { firstAt } from "./busy.js";
import { MARK, NONE, partyName } from "./data.js";
import { byId, element, onceAFrame, workerClass } from "./dom.js";
import { Drawing } from "./drawing.js";
import { evenLayout, scaleOf, squeeze, timeLayout } from "./layout.js";
import { classesOf, endsOf, isBold, sayStep } from "./rows.js";
import { clock } from "./words.js";

/** Heights of a line, in pixels. Below `LABELS_FROM` there is no room for labels. */
const LINES = [4, 7, 12, 20, 28, 36, 48];
const LABELS_FROM = 20;
/** The height at first, as a place in `LINES`. */
const LINE = 4;
/** The least distance of two labels, in pixels. */
const LABEL_GAP = 17;
/** Steps are drawn this many pixels beyond the view, so that a scroll shows no gap. */
const BEYOND = 240;
/** No more rows than this are in the page, whatever is in view. */
const ROWS_MAX = 400;
/** The width of a page of paper, in pixels, less its margins. */
const PAPER = 700;
/** Longer labels are cut off in any case; the whole text is in the row's name. */
const LABEL_CHARACTERS_MAX = 300;

export class Diagram {
  /** `onPick(step)`: a row was clicked or entered. `onView(from, to)`: these seconds are in view. */
  constructor(trace, lanes, { onPick, onView }) {
    Object.assign(this, { trace, lanes, onPick, onView });
    this.scroller = byId("steps");
    this.space = byId("space");
    this.rows = byId("rows");
    this.heads = byId("heads");
    this.drawing = new Drawing(byId("lines"));
    this.shown = new Int32Array(0);
    this.path = null;
    this.cursor = NONE;
    this.paper = null;
    this.zoom = { line: LINE, time: 1 };
    this.proportional = false;
    this.nodes = new Map();
    this.pen = document.createElement("canvas").getContext("2d");
    this.parties = this.findParties();
    this.redraw = onceAFrame(() => this.draw());
    this.scroller.addEventListener("scroll", this.redraw, { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.onKey(event));
    this.rows.addEventListener("click", (event) => this.onClick(event));
    this.scroller.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    new ResizeObserver(() => this.paper === null && this.resize()).observe(this.scroller);
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
  }

  /** The columns, left to right: who only sends, who only receives, the supervisor, the workers. */
  findParties() {
    const { from, to, size } = this.trace.steps;
    const seen = new Set();
    for (let i = 0; i < size; i++) seen.add(from[i]).add(to[i]);
    const workers = Array.from({ length: this.trace.workers }, (_, i) => i + 1);
    return [...[-3, -1, -2].filter((party) => seen.has(party)), 0, ...workers];
  }

  resize() {
    const width = this.paper === null ? this.scroller.clientWidth : PAPER;
    const narrow = width < 600;
    const isFirst = this.width === undefined;
    this.gutter = narrow ? 74 : 92;
    const units = this.parties.reduce((sum, party) => sum + shareOfWidth(party), 0);
    this.column = Math.max(
      this.paper !== null ? 56 : narrow ? 80 : 96,
      Math.min((width - this.gutter - 12) / units, 240),
    );
    this.width = Math.max(width, this.gutter + 12 + this.column * units);
    let right = this.gutter;
    this.place = new Map(
      this.parties.map((party) => {
        const own = this.column * shareOfWidth(party);
        right += own;
        return [party, right - own / 2];
      }),
    );
    const { fontFamily } = getComputedStyle(document.body);
    this.font = `12px ${fontFamily}`;
    this.heads.replaceChildren(...this.parties.map((party) => this.head(party)));
    this.relayout();
    // Where not all columns fit, the supervisor and the workers come first.
    if (isFirst) this.scroller.scrollLeft = this.place.get(0) - this.column / 2 - this.gutter;
  }

  head(party) {
    const text = party > 0 && this.column < 68 ? `w ${party}` : partyName(party);
    const node = element("div", { class: `head ${workerClass(party)}` }, element("span", {}, text));
    const width = this.column * shareOfWidth(party) - 4;
    node.style.left = `${this.place.get(party) - width / 2}px`;
    node.style.width = `${width}px`;
    return node;
  }

  /** Shows these steps (indices, in order) and keeps the place in time. */
  show(shown) {
    const time = this.layout === undefined ? 0 : this.layout.timeAt(this.top());
    this.shown = shown;
    this.relayout(time);
  }

  setProportional(proportional) {
    this.keepPlace(() => {
      this.proportional = proportional;
      this.zoom.time = 1;
    });
  }

  /** Changes the layout; the current step, or else the middle of the view, stays where it is on the screen. */
  keepPlace(change) {
    const { t } = this.trace.steps;
    const [top, middle] = [this.top(), this.view() / 2];
    const place = this.cursor === NONE ? NaN : this.layout.yOf(t[this.cursor]) - top;
    const isInView = place > 0 && place < this.view();
    const time = isInView ? t[this.cursor] : this.layout.timeAt(top + middle);
    change();
    this.relayout();
    this.scrollToY(this.layout.yOf(time) - (isInView ? place : middle));
  }

  /** `direction`: 1 for larger, -1 for smaller, 0 for as it was. */
  zoomBy(direction) {
    this.keepPlace(() => {
      if (direction === 0) this.zoom = { line: LINE, time: 1 };
      else if (this.proportional) this.zoom.time *= direction > 0 ? 1.6 : 1 / 1.6;
      else this.zoom.line = Math.max(0, Math.min(LINES.length - 1, this.zoom.line + direction));
    });
  }

  relayout(time = null) {
    const { t } = this.trace.steps;
    const scale = this.proportional ? scaleOf(t, this.shown, this.timeHeight()) : 0;
    this.layout = this.proportional
      ? timeLayout(t, this.shown, scale)
      : evenLayout(t, this.shown, LINES[this.zoom.line]);
    this.scroller.classList.toggle("proportional", this.proportional);
    this.squeeze = squeeze(this.layout.height, this.view());
    this.space.style.height = `${this.squeeze.real}px`;
    this.space.style.width = `${this.width}px`;
    this.nodes.clear();
    this.rows.replaceChildren();
    if (time !== null) this.scrollToY(this.layout.yOf(time) - 12);
    this.redraw();
  }

  /** How high all steps are in proportion to time: at first half of a line each, never less than the view. */
  timeHeight() {
    const least = this.view() - 60;
    const height = Math.max((this.shown.length * LINES[LINE]) / 2, least) * this.zoom.time;
    if (height < least) this.zoom.time *= least / height;
    return Math.max(height, least);
  }

  view() {
    return this.paper?.view ?? this.scroller.clientHeight;
  }

  /** The first pixel of the layout that is in view. */
  top() {
    return this.paper?.top ?? this.squeeze.toLayout(this.scroller.scrollTop);
  }

  scrollToY(y) {
    this.scroller.scrollTop = this.squeeze.toReal(Math.max(0, y));
    this.redraw();
  }

  scrollToTime(time) {
    this.scrollToY(this.layout.yOf(time) - this.view() / 3);
  }

  /** Makes a step the current one, with room below it for what follows. */
  reveal(step) {
    const position = placeOf(this.shown, step);
    if (this.shown[position] === step) this.scrollToY(this.layout.top(position) - this.view() * 0.12);
    this.moveTo(step);
  }

  /** Makes a step the current one and brings it into view. */
  moveTo(step) {
    const position = placeOf(this.shown, step);
    if (this.shown[position] !== step) return;
    this.cursor = step;
    const [y, top, view, line] = [this.layout.top(position), this.top(), this.view(), this.layout.line];
    // A step just out of view is scrolled to; one far away is shown with what came before it and more that followed.
    if (y < top - 2 * view || y > top + 3 * view) this.scrollToY(y - view * 0.3);
    else if (y < top + line) this.scrollToY(y - line);
    else if (y + 2 * line > top + view) this.scrollToY(y + 2 * line - view);
    this.showColumns(step);
    this.draw();
  }

  /** On a narrow screen: scrolls sideways to the columns of a step. */
  showColumns(step) {
    const places = this.ends(step);
    const [left, right] = [Math.min(...places) - this.column / 2 - this.gutter, Math.max(...places) + this.column / 2];
    if (this.scroller.scrollLeft > left) this.scroller.scrollLeft = left;
    else if (right > this.scroller.scrollLeft + this.scroller.clientWidth) {
      this.scroller.scrollLeft = Math.min(left, right - this.scroller.clientWidth);
    }
  }

  /** Highlights the steps of a path (null: none) and dims the others. */
  highlight(path) {
    this.path = path === null ? null : new Set(path.all);
    this.nodes.clear();
    this.redraw();
  }

  draw() {
    if (this.layout === undefined || this.width === undefined) return;
    const [top, view] = [this.top(), this.view()];
    this.offset = (this.paper === null ? this.scroller.scrollTop : 0) - top;
    this.lookAside();
    const positions = this.positions(top - BEYOND, top + view + BEYOND);
    this.drawing.begin(this.width, view + 2 * BEYOND, top - BEYOND, this.offset);
    this.drawLives(top - BEYOND, top + view + BEYOND);
    const nodes = new Map();
    const labelled = this.labelled(positions);
    for (const position of positions) {
      const step = this.shown[position];
      const y = this.layout.top(position);
      const node = this.row(step, position, y, labelled.has(position));
      nodes.set(step, node);
      this.drawStep(step, y);
    }
    for (const [step, node] of this.nodes) if (nodes.get(step) !== node) node.remove();
    this.nodes = nodes;
    this.putInOrder(nodes);
    this.drawing.end();
    this.heads.style.transform = `translateX(${-this.scroller.scrollLeft}px)`;
    this.tellCursor();
    this.onView(this.layout.timeAt(top), this.layout.timeAt(top + view));
  }

  /** Labels are placed for the part of the columns that is in view. */
  lookAside() {
    const [left, sight] = [this.scroller.scrollLeft, this.paper === null ? this.scroller.clientWidth : this.width];
    if (left === this.left && sight === this.sight) return;
    Object.assign(this, { left, sight });
    this.nodes.clear();
    this.rows.replaceChildren();
  }

  /** Rows stand in the page in the order of the steps, for a screen reader and for a copied text. */
  putInOrder(nodes) {
    let next = this.rows.firstElementChild;
    for (const node of nodes.values()) {
      if (node === next) next = next.nextElementSibling;
      else this.rows.insertBefore(node, next);
    }
    while (next !== null) {
      const gone = next;
      next = next.nextElementSibling;
      gone.remove();
    }
  }

  /** The places in `shown` that are drawn: those in view, thinned out where there are more than can be told apart. */
  positions(from, to) {
    if (this.shown.length === 0) return [];
    const [first, last] = [this.layout.at(from), this.layout.at(to)];
    const all = [];
    const stride = Math.max(1, Math.ceil((last - first + 1) / ROWS_MAX));
    for (let position = first; position <= last; position++) {
      if ((position - first) % stride === 0 || this.isSpecial(this.shown[position])) all.push(position);
      if (all.length >= 2 * ROWS_MAX) break;
    }
    return all;
  }

  isSpecial(step) {
    return step === this.cursor || this.trace.steps.mark[step] === MARK.died || this.path?.has(step) === true;
  }

  /** Those of `positions` that have room for a label. In proportion to time the important ones take theirs first. */
  labelled(positions) {
    if (this.layout.line < LABELS_FROM) return new Set();
    if (!this.layout.proportional) return new Set(positions);
    const special = positions.filter((position) => this.isSpecial(this.shown[position]));
    special.sort((a, b) => this.rank(this.shown[a]) - this.rank(this.shown[b]));
    const taken = [];
    const isFree = (y) => taken.every((other) => Math.abs(other - y) >= LABEL_GAP);
    const take = (position) => {
      const y = this.layout.top(position);
      return isFree(y) && taken.push(y) > 0;
    };
    const found = new Set(special.filter(take));
    let before = -Infinity;
    for (const position of positions) {
      const y = this.layout.top(position);
      // No label covers the step before its own.
      if (y - before >= LABEL_GAP && !found.has(position) && isFree(y)) found.add(position);
      before = y;
    }
    return found;
  }

  rank(step) {
    if (step === this.cursor) return 0;
    return this.trace.steps.mark[step] === MARK.died ? 1 : 2;
  }

  row(step, position, y, labelled) {
    const key = `${labelled} ${step === this.cursor}`;
    let node = this.nodes.get(step);
    if (node === undefined || node.dataset.key !== key) node = this.newRow(step, position, labelled, key);
    node.style.top = `${y + this.offset}px`;
    return node;
  }

  newRow(step, position, labelled, key) {
    const { steps } = this.trace;
    const node = element("div", {
      class: this.rowClass(step),
      role: "option",
      id: `step-${step}`,
      "aria-setsize": this.shown.length,
      "aria-posinset": position + 1,
      "aria-selected": step === this.cursor,
      "aria-label": sayStep(steps, step),
      "data-step": step,
      "data-key": key,
    });
    node.style.height = `${this.layout.line}px`;
    if (labelled) node.append(element("span", { class: "time" }, clock(steps.t[step])), this.label(step));
    return node;
  }

  rowClass(step) {
    const classes = classesOf(this.trace.steps, step);
    if (step === this.cursor) classes.push("cursor");
    if (this.path !== null) classes.push(this.path.has(step) ? "on" : "off");
    return classes.join(" ");
  }

  /** Where a step begins and arrives, in pixels. */
  ends(step) {
    return endsOf(this.trace.steps, step).map((party) => this.place.get(party));
  }

  label(step) {
    const { label, because } = this.trace.steps;
    const [a, b] = this.ends(step);
    const text = label[step].slice(0, LABEL_CHARACTERS_MAX);
    const title = because[step] === 0 ? label[step] : `${label[step]}\nbecause ${because[step]}`;
    const node = element("span", { class: a === b ? "label own" : "label", title }, text);
    this.pen.font = isBold(this.trace.steps, step) ? `600 ${this.font}` : this.font;
    // What does not fit beside its arrow is moved into view: with many columns only a part of them is.
    const [first, last] = [this.gutter + 2 + this.left, this.left + this.sight - 6];
    const width = Math.min(Math.ceil(this.pen.measureText(text).width) + 7, last - first);
    let left = this.beside(a, b, width);
    if (a === b) left = a + 10 + width > last && a - 10 - width > first ? a - 10 - width : a + 10;
    node.style.left = `${Math.max(first, Math.min(left, last - width))}px`;
    node.style.width = `${width}px`;
    return node;
  }

  /** A label of an arrow stands in the gap next to its end far from the supervisor, so that it covers no lifeline. */
  beside(a, b, width) {
    const middle = this.place.get(0);
    const outer = Math.abs(a - middle) > Math.abs(b - middle) ? a : b;
    const side = outer > middle ? 1 : -1;
    const gap = Math.min(this.column * (side > 0 ? 1 : 0.75), Math.abs(a - b));
    if (width <= gap - 12) return outer - (side * gap) / 2 - width / 2;
    return side > 0 ? outer - 7 - width : outer + 7;
  }

  drawStep(step, y) {
    const { t, from, to, kind, mark, sent, received } = this.trace.steps;
    const { line, proportional } = this.layout;
    const [x1, x2] = this.ends(step);
    const worker = from[step] > 0 ? from[step] : to[step];
    const classes = `${workerClass(worker)} ${this.rowClass(step)}`;
    if (x1 === x2) {
      const middle = proportional ? this.layout.yOf(t[step]) : y + line / 2;
      this.drawing.mark(classes, x1, middle, mark[step], kind[step], Math.min(line / 2, 6));
      return;
    }
    const under = line >= LABELS_FROM ? line - 6 : line / 2;
    let [y1, y2] = [y + under, y + under];
    if (proportional) {
      // An arrow leans from when it was sent to when it arrived.
      y1 = this.layout.yOf(Number.isNaN(sent[step]) ? t[step] : sent[step]);
      y2 = Number.isNaN(received[step]) ? y1 : Math.max(y1, this.layout.yOf(received[step]));
    }
    this.drawing.arrow(classes, x1, y1, x2, y2, line < 10 ? 3 : 6);
  }

  /** Lifelines of processes, and on them the times of work. */
  drawLives(top, bottom) {
    const clip = (y) => Math.max(top, Math.min(bottom, y));
    const [from, to] = [this.layout.timeAt(Math.max(0, top)), this.layout.timeAt(bottom)];
    for (const party of this.parties) {
      const x = this.place.get(party);
      this.drawing.line(party === 0 ? "life" : "gap", x, top, bottom);
      if (party <= 0) continue;
      const { lives, works } = this.lanes[party];
      for (let n = firstAt(lives, from); n < lives.length && lives[n].from <= to; n++) {
        this.drawing.line("life", x, clip(this.layout.yOf(lives[n].from)), clip(this.layout.yOf(lives[n].to)));
      }
      for (let n = firstAt(works, from); n < works.length && works[n].from <= to; n++) {
        const [y1, y2] = [clip(this.layout.yOf(works[n].from)), clip(this.layout.yOf(works[n].to))];
        this.drawing.work(`${workerClass(party)}${this.workClass(works[n])}`, x, y1, y2);
      }
    }
  }

  workClass(work) {
    if (this.path === null) return "";
    return this.path.has(work.step) ? " on" : " off";
  }

  tellCursor() {
    if (this.cursor !== NONE && this.nodes.has(this.cursor)) {
      this.scroller.setAttribute("aria-activedescendant", `step-${this.cursor}`);
    } else {
      this.scroller.removeAttribute("aria-activedescendant");
    }
  }

  onClick(event) {
    const row = event.target.closest(".row");
    if (row === null || !getSelection().isCollapsed) return;
    this.cursor = Number(row.dataset.step);
    this.onPick(this.cursor);
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.view() / this.layout.line) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) this.moveBy(moves[event.key]);
    else if (event.key === "Enter" && this.cursor !== NONE) this.onPick(this.cursor);
    else if (event.key === "+" || event.key === "=") this.zoomBy(1);
    else if (event.key === "-") this.zoomBy(-1);
    else return;
    event.preventDefault();
  }

  moveBy(steps) {
    if (this.shown.length === 0) return;
    const last = this.shown.length - 1;
    const here = placeOf(this.shown, this.cursor);
    const isHere = this.cursor !== NONE && this.shown[here] === this.cursor;
    const from = isHere ? here : this.layout.at(this.top() + this.layout.line) - Math.sign(steps);
    this.moveTo(this.shown[Math.max(0, Math.min(last, from + steps))]);
  }

  onWheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.zoomBy(event.deltaY < 0 ? 1 : -1);
  }

  /** On paper there is no scrolling: the steps in view stand at the top of a box that is as high as they are. */
  print(begins) {
    const top = this.top();
    this.paper = begins ? { top, view: Math.min(this.view(), this.layout.height - top) } : null;
    this.scroller.style.height = begins ? `${this.paper.view}px` : "";
    this.resize();
    if (begins) this.space.style.height = `${this.paper.view}px`;
    this.scrollToY(begins ? 0 : top);
    this.draw();
  }
}

/** Columns of those that only send or only receive are narrower: their arrows are few. */
function shareOfWidth(party) {
  return party < 0 ? 0.75 : 1;
}

/** The first place of `shown` (in order) that is `step` or later. */
function placeOf(shown, step) {
  let [low, high] = [0, shown.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shown[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low;
}
