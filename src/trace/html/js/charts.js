// Histograms of waiting and of work. uPlot draws them; this module counts.

import { KIND } from "./data.js";
import { byId, element } from "./dom.js";
import { count, duration, plural } from "./words.js";

/** Of the frames of processes that stay: a title, what it means, and the seconds of frame `i` (NaN: not known). */
const OF_FRAMES = [
  {
    title: "Waiting in the supervisor",
    about: "from when a frame was queued to when it was written",
    of: (s, i) => (s.to[i] > 0 ? s.sent[i] - s.queued[i] : NaN),
  },
  {
    title: "On the way",
    about: "from when a frame was written to when it was read",
    of: (s, i) => s.received[i] - s.sent[i],
  },
  {
    title: "Waiting in the worker",
    about: "from when items arrived to when work on the first began",
    of: (s, i) => (s.to[i] > 0 ? s.began[i] - s.received[i] : NaN),
  },
  {
    title: "Work",
    about: "time of work for an item; the mean of its batch",
    of: (s, i) => (s.to[i] > 0 ? (s.finished[i] - s.began[i]) / Math.max(s.count[i], 1) : NaN),
  },
];

/** The same of a process for each item: the seconds of its row. */
const OF_COMMANDS = [
  {
    title: "Waiting for the process",
    about: "from the order to start a process to its start; none for one that its slot had in hand",
    of: (row) => row.spawned - row.ordered,
  },
  {
    title: "Work",
    about: "from when a process was started to when it ended",
    of: (row) => row.ended - row.spawned,
  },
];

/** Draws all histograms into `root`, and again when the page's colours change (`redraw`). */
export function charts(trace, root) {
  const ofCommands = () => OF_COMMANDS.map((measure) => chart(measure, sorted(trace.processes.map(measure.of))));
  const ofFrames = () => OF_FRAMES.map((measure) => chart(measure, sorted(ofEachFrame(trace.steps, measure))));
  const drawn = trace.run.protocol === "exec" ? ofCommands() : ofFrames();
  root.replaceChildren(...drawn.map((one) => one.node));
  const observer = new ResizeObserver(() => drawn.forEach((one) => one.fit()));
  observer.observe(root);
  /** `width` in pixels; as wide as there is room if it is left out. */
  return { redraw: (width) => drawn.forEach((one) => one.plot(width)) };
}

function ofEachFrame(steps, measure) {
  const values = [];
  for (let i = 0; i < steps.size; i++) {
    if (steps.kind[i] === KIND.frame) values.push(measure.of(steps, i));
  }
  return values;
}

/** What is known, the least first. */
function sorted(values) {
  const known = values.filter((value) => !Number.isNaN(value));
  // Clocks of two processors may differ by a little: nothing takes less than no time.
  return Float64Array.from(known, (value) => Math.max(value, 0)).sort();
}

function chart({ title, about }, values) {
  const place = element("div", { class: "plot" });
  const readout = element("p", { class: "readout" }, summary(values));
  const node = element(
    "figure",
    {},
    element("figcaption", {}, element("h3", {}, title), element("p", {}, about)),
    place,
    readout,
  );
  if (values.length === 0) return { node, fit() {}, plot() {} };
  const bins = binsOf(values);
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `Histogram. ${title}: ${summary(values)}`);
  let plot = null;
  const width = () => Math.max(160, place.clientWidth);
  const show = (index) => {
    readout.textContent = index === null ? summary(values) : binText(bins, index);
  };
  return {
    node,
    fit: () => plot?.setSize({ width: width(), height: 150 }),
    plot(wide = width()) {
      plot?.destroy();
      plot = new globalThis.uPlot(options(bins, colours(), wide, show), [bins.x, bins.counts], place);
    },
  };
}

function summary(values) {
  if (values.length === 0) return "The trace does not tell.";
  const at = (part) => duration(values[Math.min(values.length - 1, Math.floor(part * values.length))]);
  return `${plural(values.length, "value")} · half below ${at(0.5)}, 95 % below ${at(0.95)}, most ${at(1)}`;
}

/** Counts in bins whose edges are 1, 2, 5, 10, ... µs; values below 1 µs are in the first. */
function binsOf(values) {
  const edges = [0];
  for (let power = 0; power < 12; power++) edges.push(...[1, 2, 5].map((factor) => factor * 10 ** (power - 6)));
  const binOf = (value) => edges.findLastIndex((edge) => edge <= value * (1 + 1e-9));
  const [first, last] = [Math.max(0, binOf(values[0]) - 1), binOf(values[values.length - 1]) + 1];
  const counts = new Array(last - first + 1).fill(0);
  let bin = first;
  for (const value of values) {
    while (bin < last && value * (1 + 1e-9) >= edges[bin + 1]) bin += 1;
    counts[bin - first] += 1;
  }
  return { edges: edges.slice(first, last + 2), counts, x: counts.map((_, n) => n) };
}

function binText({ edges, counts }, n) {
  const to = edges[n + 1] === undefined ? "" : ` to ${duration(edges[n + 1])}`;
  return `${duration(edges[n])}${to}: ${count(counts[n])}`;
}

function options({ edges, x }, colour, width, show) {
  const axis = {
    stroke: colour.muted,
    font: "11px system-ui, sans-serif",
    ticks: { stroke: colour.line, width: 1, size: 4 },
  };
  const every = Math.max(1, Math.ceil(x.length / Math.max(2, Math.floor((width - 50) / 52))));
  return {
    width,
    height: 150,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false } },
    scales: {
      x: { time: false, range: [-0.5, x.length - 0.5] },
      y: { range: (_, __, most) => [0, Math.max(most, 1) * 1.08] },
    },
    axes: [
      // A label stands at the lower edge of a bin.
      {
        ...axis,
        grid: { show: false },
        splits: () => x.filter((n) => n % every === 0).map((n) => n - 0.5),
        values: (_, splits) => splits.map((place) => duration(edges[place + 0.5])),
        gap: 3,
        size: 30,
      },
      {
        ...axis,
        grid: { stroke: colour.line, width: 1 },
        size: 44,
        gap: 3,
        space: 28,
        incrs: INCREMENTS,
        values: (_, splits) => splits.map(short),
      },
    ],
    series: [
      {},
      {
        stroke: colour.accent,
        fill: colour.accent,
        width: 0,
        paths: globalThis.uPlot.paths.bars({ size: [0.86, 100] }),
        points: { show: false },
      },
    ],
    hooks: { setCursor: [(plot) => show(plot.cursor.idx ?? null)] },
  };
}

/** Only whole numbers are counted. */
const INCREMENTS = [1, 2, 5]
  .flatMap((factor) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map((power) => factor * power))
  .sort((a, b) => a - b);

function short(number) {
  return number >= 10000 ? `${number / 1000}k` : String(number);
}

/** The colours of the page as it looks now: a canvas does not follow the style sheet. */
function colours() {
  const probe = byId("probe");
  const colour = (name) => {
    probe.className = `probe-${name}`;
    return getComputedStyle(probe).color;
  };
  return { muted: colour("muted"), line: colour("line"), accent: colour("accent") };
}
