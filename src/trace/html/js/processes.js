// The table of processes. A run of commands has one a line for each item, so it grows on demand.

import { byId, element, workerClass } from "./dom.js";
import { clock, count, duration, memory } from "./words.js";

const ROWS_AT_ONCE = 200;

export class Processes {
  constructor(trace) {
    this.rows = trace.processes;
    this.body = byId("processes");
    this.more = byId("more-processes");
    this.more.addEventListener("click", () => this.grow());
    this.show(0);
  }

  /** Those of one worker, or all (0). */
  show(worker) {
    this.matching = worker === 0 ? this.rows : this.rows.filter((row) => row.worker === worker);
    this.body.replaceChildren();
    this.grow();
  }

  grow() {
    const shown = this.body.childElementCount;
    this.body.append(...this.matching.slice(shown, shown + ROWS_AT_ONCE).map(line));
    const left = this.matching.length - this.body.childElementCount;
    this.more.hidden = left === 0;
    this.more.textContent = `Show ${count(Math.min(left, ROWS_AT_ONCE))} more of ${count(left)}`;
  }
}

function line(row) {
  const number = (text) => element("td", { class: "number" }, text);
  const time = (seconds) => number(Number.isNaN(seconds) ? "" : clock(seconds));
  const chip = element("span", { class: `chip ${workerClass(row.worker)}` }, `worker ${row.worker}`);
  return element(
    "tr",
    { class: row.died ? "died" : null },
    element("th", { scope: "row" }, chip),
    number(String(row.incarnation)),
    number(String(row.pid)),
    time(row.spawned),
    time(row.ready),
    time(row.ended),
    element("td", { class: "exit" }, row.exit ?? ""),
    number(count(row.items)),
    number(duration(row.user)),
    number(duration(row.system)),
    number(row.rss > 0 ? memory(row.rss) : ""),
  );
}
