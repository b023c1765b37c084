// A lane per worker: when its processes lived, when it worked on which items, where one died. Also the map of the
// diagram: a frame shows what is in view there, and a click goes to that time.

import { firstAt, share } from "./busy.js";
import { NONE } from "./data.js";
import { byId, element, onceAFrame, svg, workerClass } from "./dom.js";
import { count, duration, items, plural } from "./words.js";

const LANE = 24;
const BAR = 14;
const AXIS = 22;
/** A worker with more processes than this starts one for each item: no restart is marked, and a death is a line. */
const MARKS_MAX = 40;
/** Work that is too short to be seen is shown in stretches of this many pixels, paler the less of it there is. */
const STRETCH = 4;
/** No more than about this many stretches are drawn: with many workers they are longer. */
const STRETCHES_MAX = 20_000;

export class Lanes {
  /** `onPick(time, item)`: somebody clicked there; `item` is NONE where none was worked on. */
  constructor(trace, lanes, { onPick }) {
    Object.assign(this, { trace, lanes, onPick, from: 0, to: trace.end, view: [0, 0], path: null });
    this.root = byId("lanes");
    this.window = svg("rect", { class: "view", y: 0.5, rx: 3 });
    this.redraw = onceAFrame(() => this.draw());
    this.root.addEventListener("click", (event) => this.onClick(event));
    this.root.addEventListener("pointermove", (event) => this.onHover(event));
    this.root.addEventListener("pointerleave", () => byId("lane-at").replaceChildren());
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.redraw()).observe(this.root);
    byId("lane-list").replaceChildren(...lanes.slice(1).map((lane, n) => element("li", {}, describe(lane, n + 1))));
  }

  setView(from, to) {
    this.view = [from, to];
    this.frame();
  }

  /** Puts the frame around what the diagram shows. It moves with each scroll, so the lanes are left alone. */
  frame() {
    if (this.left === undefined) return;
    const x1 = Math.max(this.left, this.x(this.view[0]));
    const x2 = Math.min(this.width - 8, this.x(this.view[1]));
    this.window.setAttribute("x", x1);
    this.window.setAttribute("width", x2 < x1 ? 0 : Math.max(3, x2 - x1));
  }

  highlight(path) {
    this.path = path;
    this.redraw();
  }

  /** `direction`: 1 for larger, -1 for smaller, 0 for all of it. What the diagram shows stays in view. */
  zoomBy(direction) {
    const span = (this.to - this.from) * (direction > 0 ? 0.5 : 2);
    if (direction === 0 || span >= this.trace.end) return this.setRange(0, this.trace.end);
    const middle = Math.max(this.from, Math.min(this.to, (this.view[0] + this.view[1]) / 2));
    this.setRange(middle - span / 2, middle + span / 2);
  }

  panBy(part) {
    const distance = (this.to - this.from) * part;
    this.setRange(this.from + distance, this.to + distance);
  }

  setRange(from, to) {
    const span = Math.max(to - from, 1e-6);
    this.from = Math.max(0, Math.min(from, this.trace.end - span));
    this.to = this.from + span;
    this.redraw();
  }

  x(time) {
    return this.left + ((time - this.from) / (this.to - this.from)) * (this.width - this.left - 8);
  }

  timeAt(x) {
    return this.from + ((x - this.left) / (this.width - this.left - 8)) * (this.to - this.from);
  }

  draw() {
    this.width = this.root.clientWidth;
    if (this.width === 0) return;
    this.left = this.width < 600 ? 40 : 78;
    const height = this.trace.workers * LANE + AXIS;
    const parts = this.axis(height);
    for (let worker = 1; worker <= this.trace.workers; worker++) parts.push(this.lane(worker));
    this.window.setAttribute("height", height - AXIS);
    parts.push(this.window);
    this.frame();
    const drawing = svg(
      "svg",
      { width: this.width, height, viewBox: `0 0 ${this.width} ${height}`, "aria-hidden": "true" },
      ...parts,
    );
    this.root.replaceChildren(drawing);
  }

  axis(height) {
    const [bottom, span] = [height - AXIS, this.to - this.from];
    const step = roundStep(span / Math.max(2, Math.floor((this.width - this.left) / 110)));
    const parts = [];
    for (let n = Math.ceil(this.from / step - 1e-9); n * step <= this.to + step * 1e-6; n++) {
      const x = Math.round(this.x(n * step)) + 0.5;
      const anchor = x > this.width - 40 ? "end" : n === 0 ? "start" : "middle";
      parts.push(svg("path", { class: "grid", d: `M${x} 0V${bottom + 4}` }));
      const text = svg("text", { class: "tick", x, y: bottom + 17, "text-anchor": anchor });
      text.textContent = n === 0 ? "0" : duration(n * step);
      parts.push(text);
    }
    return parts;
  }

  lane(worker) {
    const y = (worker - 1) * LANE + (LANE - BAR) / 2;
    const name = svg("text", { class: "name", x: 4, y: y + BAR - 3 });
    name.textContent = this.left < 60 ? `w ${worker}` : `worker ${worker}`;
    const group = svg("g", { class: workerClass(worker) }, name);
    const { lives, works } = this.lanes[worker];
    for (const life of this.merged(lives)) {
      const width = Math.max(1, life.x2 - life.x1);
      group.append(svg("rect", { class: "alive", x: life.x1, y: y + BAR / 2 - 1, width, height: 2 }));
    }
    for (const work of this.merged(works)) group.append(this.work(work, y));
    if (lives.length > MARKS_MAX) {
      group.append(svg("path", { class: "fatal", d: this.deathLines(lives, y) }));
      return group;
    }
    for (const [n, life] of lives.entries()) {
      this.restarts(group, life, lives[n - 1], y);
      this.deaths(group, life, y);
    }
    return group;
  }

  /** A line for each death, one for those that stand in the same place. */
  deathLines(lives, y) {
    const places = lives.filter((life) => life.row.died).map((life) => Math.round(this.x(life.to)));
    const inView = places.filter((x) => x >= this.left && x <= this.width - 8);
    return [...new Set(inView)].map((x) => `M${x} ${y}v${BAR}`).join("");
  }

  /**
   * The stretches of a lane in pixels. Those that are too short to be told apart are one: `only` is null for it, and
   * `share` is the part of it that they fill.
   */
  merged(list) {
    const least = Math.max(STRETCH, (this.trace.workers * this.width) / STRETCHES_MAX);
    const [left, right] = [this.left, this.width - 8];
    const stretches = [];
    let last = null;
    for (const one of list) {
      const [x1, x2] = [Math.max(left, this.x(one.from)), Math.min(right, this.x(one.to))];
      if (x2 < left || x1 > right) continue;
      const isShort = x2 - x1 < least;
      if (last !== null && isShort && x1 < last.start + least) {
        last.filled += x2 - x1;
        last.x2 = Math.max(last.x2, x2);
        last.only = null;
      } else {
        last = { x1, x2, only: one, start: isShort ? x1 : -Infinity, filled: x2 - x1 };
        stretches.push(last);
      }
    }
    for (const one of stretches) one.share = one.filled / Math.max(one.x2 - one.x1, 1e-9);
    return stretches;
  }

  work({ x1, x2, only, share }, y) {
    const width = Math.max(1, x2 - x1 - (only !== null && x2 - x1 > 3 ? 1 : 0));
    const isOn = only !== null && this.path !== null && isCarried(only, this.path.item);
    const off = this.path !== null && !isOn ? " off" : "";
    const bar = svg("rect", { class: `bar${isOn ? " on" : off}`, x: x1, y, width, height: BAR, rx: width > 6 ? 2 : 0 });
    if (only === null && off === "") bar.style.setProperty("--share", `${Math.round(15 + 85 * Math.min(1, share))}%`);
    if (only === null || width < 16) return bar;
    const text = svg("text", { class: `inside${off}`, x: x1 + width / 2, y: y + BAR - 3, "text-anchor": "middle" });
    const label = only.count > 1 ? `${only.item}–${only.item + only.count - 1}` : String(only.item);
    text.textContent = label.length * 7 < width ? label : "";
    return svg("g", {}, bar, text);
  }

  deaths(group, { to, row }, y) {
    const x = this.x(to);
    if (!row.died || x < this.left || x > this.width - 4) return;
    const [middle, r] = [y + BAR / 2, 5];
    const d = `M${x - r} ${middle - r}L${x + r} ${middle + r}M${x - r} ${middle + r}L${x + r} ${middle - r}`;
    group.append(svg("path", { class: "halo", d }), svg("path", { class: "cross", d }));
  }

  /** A ring where a process took the place of one that died; a cross so near that it would be hidden says as much. */
  restarts(group, { from, row }, before, y) {
    const x = this.x(from);
    if (!before?.row.died || row.incarnation < 2 || x < this.left || x > this.width - 4) return;
    if (x - this.x(before.to) < 10) return;
    group.append(svg("circle", { class: "again", cx: x, cy: y + BAR / 2, r: 3.5 }));
  }

  /** What is under a pointer. */
  under(event) {
    const box = this.root.getBoundingClientRect();
    const time = this.timeAt(event.clientX - box.left);
    const worker = Math.floor((event.clientY - box.top + this.root.scrollTop) / LANE) + 1;
    const reach = (this.to - this.from) / this.width;
    const lane = worker <= this.trace.workers ? this.lanes[worker] : undefined;
    const near = lane?.works[firstAt(lane.works, time - reach)];
    const work = near !== undefined && near.from - reach <= time ? near : undefined;
    return { time, worker, work, lane };
  }

  onClick(event) {
    const { time, work } = this.under(event);
    if (time < this.from || time > this.to) return;
    this.onPick(work === undefined ? time : work.from, work === undefined ? NONE : work.item);
  }

  onHover(event) {
    const { time, worker, work, lane } = this.under(event);
    let text = "";
    if (lane !== undefined && time >= this.from && time <= this.to) {
      const at = work === undefined ? "" : ` · ${items(work.item, work.count)}, ${duration(work.to - work.from)}`;
      text = `worker ${worker} at ${duration(time)}${at}`;
    }
    byId("lane-at").textContent = text;
  }

  onKey(event) {
    const keys = { "+": 1, "=": 1, "-": -1, 0: 0 };
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in keys) this.zoomBy(keys[event.key]);
    else if (event.key === "ArrowLeft") this.panBy(-0.2);
    else if (event.key === "ArrowRight") this.panBy(0.2);
    else return;
    event.preventDefault();
  }
}

function isCarried(work, item) {
  return work.item <= item && item < work.item + work.count;
}

/** The next of 1, 2, 5, 10, ... times a power of ten. */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9));
}

function describe(lane, worker) {
  const done = lane.works.reduce((sum, work) => sum + work.count, 0);
  const deaths = lane.lives.filter((life) => life.row.died).map((life) => life.row.exit ?? "it is not known how");
  const died = deaths.length > 0 ? `, ${count(deaths.length)} of which died (${deaths.slice(0, 3).join("; ")})` : "";
  const atWork = `at work ${Math.round(share(lane) * 100)} % of its time`;
  const processes = plural(lane.lives.length, "process", "processes");
  return `worker ${worker}: ${atWork}, ${plural(done, "item")}, ${processes}${died}`;
}
