// The page: what was chosen, and who has to know of it.

import { busy } from "./busy.js";
import { charts } from "./charts.js";
import { KINDS, NONE, read } from "./data.js";
import { Diagram } from "./diagram.js";
import { byId, element, workerClass } from "./dom.js";
import { isOpen, matching, parseRange } from "./filter.js";
import { Lanes } from "./lanes.js";
import { pathOf } from "./path.js";
import { Processes } from "./processes.js";
import { Story } from "./story.js";
import { count, duration, plural } from "./words.js";

const THEMES = ["auto", "light", "dark"];

class View {
  constructor(trace) {
    this.trace = trace;
    this.filter = { worker: 0, kinds: new Set(), items: "", text: "", reasoning: false };
    this.path = null;
    this.only = false;
    const lanes = busy(trace);
    this.lanes = new Lanes(trace, lanes, { onPick: (time, item) => this.onLane(time, item) });
    this.diagram = new Diagram(trace, lanes, {
      onPick: (step) => this.pickStep(step),
      onView: (from, to) => this.lanes.setView(from, to),
    });
    this.story = new Story(trace, { onStep: (step) => this.goTo(step) });
    this.processes = new Processes(trace);
    this.charts = charts(trace, byId("charts"));
    this.controls();
    this.refresh();
    this.story.show(null);
  }

  controls() {
    for (let worker = 1; worker <= this.trace.workers; worker++) {
      byId("worker").append(element("option", { value: worker }, `worker ${worker}`));
    }
    const present = new Set(this.trace.steps.kind);
    KINDS.forEach((kind, number) => {
      if (!present.has(number)) return;
      const box = element("input", { type: "checkbox", value: number });
      byId("kinds").append(element("label", {}, box, element("span", {}, kind)));
    });
    byId("reasoning").closest("label").hidden = !this.trace.steps.main.includes(0);
    byId("filter").addEventListener("input", () => this.onFilter());
    byId("filter").addEventListener("submit", (event) => event.preventDefault());
    byId("clear").addEventListener("click", () => this.clearFilter());
    byId("find").addEventListener("submit", (event) => this.onFind(event));
    byId("only").addEventListener("change", (event) => this.setOnly(event.target.checked));
    byId("scale").addEventListener("change", (event) => this.diagram.setProportional(event.target.checked));
    for (const button of document.querySelectorAll("[data-zoom]")) {
      const target = button.closest("[data-zooms]").dataset.zooms === "lanes" ? this.lanes : this.diagram;
      button.addEventListener("click", () => target.zoomBy(Number(button.dataset.zoom)));
    }
    byId("theme").addEventListener("click", () => this.nextTheme());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.charts.redraw());
    document.addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
    this.charts.redraw();
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target.matches("input:not([type=checkbox]), select");
    if (event.key === "Escape") {
      this.choose(null);
    } else if (typing) {
      return;
    } else if (event.key === "/") {
      byId("item").focus();
      event.preventDefault();
    } else if ((event.key === "n" || event.key === "p") && this.path !== null) {
      this.walk(event.key === "n" ? 1 : -1);
    }
  }

  /** To the next or the previous step of the chosen item. */
  walk(direction) {
    const { steps } = this.path;
    const here = steps.findIndex((step) => step >= this.diagram.cursor);
    const isHere = steps[here] === this.diagram.cursor;
    const next = direction > 0 ? here + (isHere ? 1 : 0) : here - 1;
    if (steps[next] !== undefined) this.goTo(steps[next]);
  }

  onFind(event) {
    event.preventDefault();
    const text = byId("item").value.trim();
    if (text === "") return this.choose(null);
    if (!/^\d+$/.test(text)) {
      byId("found").textContent = "An item's number is expected, such as 7.";
      return;
    }
    this.choose(Number(text));
    const first = this.path.turns[0]?.step ?? this.path.steps[0];
    if (first !== undefined) this.diagram.reveal(first);
  }

  pickStep(step) {
    const item = this.trace.steps.item[step];
    if (item === NONE) return this.diagram.moveTo(step);
    this.choose(item);
    this.diagram.moveTo(step);
  }

  onLane(time, item) {
    if (item !== NONE) this.choose(item);
    this.diagram.scrollToTime(time);
  }

  goTo(step) {
    this.diagram.moveTo(step);
  }

  /** Chooses an item, or none. */
  choose(item) {
    this.path = item === null ? null : pathOf(this.trace, item);
    byId("found").textContent = "";
    if (item === null) {
      byId("item").value = "";
      byId("only").checked = false;
    }
    this.diagram.highlight(this.path);
    this.lanes.highlight(this.path);
    this.story.show(this.path);
    this.setOnly(byId("only").checked);
  }

  setOnly(only) {
    const before = this.only;
    this.only = only;
    if (only || before) this.refresh();
  }

  onFilter() {
    const kinds = [...byId("kinds").querySelectorAll("input:checked")].map((box) => Number(box.value));
    const items = byId("items").value;
    byId("items").setAttribute("aria-invalid", parseRange(items) === null);
    const filter = { worker: Number(byId("worker").value), kinds: new Set(kinds), items, text: byId("text").value };
    filter.reasoning = byId("reasoning").checked;
    if (filter.worker !== this.filter.worker) this.processes.show(filter.worker);
    this.filter = filter;
    this.refresh();
  }

  clearFilter() {
    byId("filter").reset();
    this.onFilter();
  }

  /** Applies the filter and tells how much is left. */
  refresh() {
    const { steps } = this.trace;
    const shown = matching(steps, this.filter, this.only && this.path !== null ? this.path.all : null);
    this.diagram.show(shown);
    const isAll = shown.length === steps.size;
    byId("hits").textContent = isAll
      ? plural(steps.size, "step")
      : `${count(shown.length)} of ${plural(steps.size, "step")}`;
    byId("clear").disabled = isOpen(this.filter);
    byId("nothing").hidden = shown.length > 0;
  }

  /** Paper is white, and two histograms wide. */
  print(begins) {
    const { dataset } = document.documentElement;
    if (begins) this.themeOnScreen = dataset.theme;
    dataset.theme = begins ? "light" : this.themeOnScreen;
    this.charts.redraw(begins ? CHART_ON_PAPER : undefined);
  }

  nextTheme() {
    const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    document.documentElement.dataset.theme = theme;
    byId("theme").textContent = `Colours: ${theme}`;
    this.charts.redraw();
  }
}

/** The width of a histogram on paper, in pixels. */
const CHART_ON_PAPER = 330;

/** The head of the page: what ran, and the numbers that tell how it went. */
function head({ run, cut, processes, steps, end }) {
  // A line of the title breaks between words, not within `--workers`.
  const words = run.command.split(" ").map((word) => element("span", {}, word));
  byId("command").replaceChildren(...words.flatMap((word, n) => (n > 0 ? [" ", word] : [word])));
  document.title = `${run.command} – flow of a run`;
  const facts = [run.ran, `supervisor ${run.version}`, `run ${run.id}`, `started ${run.started}`];
  facts.push(run.transport, run.protocol);
  byId("facts").replaceChildren(...facts.map((fact) => element("li", {}, fact)));
  const died = processes.filter((row) => row.died).length;
  const items = processes.reduce((sum, row) => sum + row.items, 0);
  const numbers = [
    [duration(end), "long"],
    [count(items), items === 1 ? "item" : "items"],
    [count(steps.size), steps.size === 1 ? "step" : "steps"],
    [count(run.workers), run.workers === 1 ? "worker" : "workers"],
    [count(processes.length), processes.length === 1 ? "process" : "processes"],
    [count(died), died === 1 ? "death" : "deaths"],
  ];
  byId("numbers").replaceChildren(
    ...numbers.map(([number, word]) => {
      const alarm = word.startsWith("death") && died > 0 ? "alarm" : null;
      return element("li", { class: alarm }, element("b", {}, number), ` ${word}`);
    }),
  );
  byId("cut").hidden = cut === null;
  byId("cut").textContent = cut ?? "";
}

function start() {
  const trace = read(byId("data").textContent);
  // The text is many times as large as what was read from it.
  byId("data").remove();
  head(trace);
  new View(trace);
  document.documentElement.dataset.ready = "yes";
}

start();
