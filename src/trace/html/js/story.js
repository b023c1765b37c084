// The story of the chosen item: sentences, and its steps to walk through.

import { MARK } from "./data.js";
import { byId, element, workerClass } from "./dom.js";
import { tell } from "./path.js";
import { clock, count } from "./words.js";

const STEPS_MAX = 200;

export class Story {
  /** `onStep(step)`: that step was chosen. */
  constructor(trace, { onStep }) {
    this.trace = trace;
    this.list = byId("story-steps");
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button !== null) onStep(Number(button.dataset.step));
    });
  }

  /** Tells the path (null: none is chosen). */
  show(path) {
    byId("story").classList.toggle("empty", path === null);
    byId("only").disabled = path === null || path.steps.length === 0;
    if (path === null) {
      byId("story-title").textContent = "An item's path";
      byId("story-text").replaceChildren(
        element("p", {}, "Click on a message, or type an item's number and press Enter."),
      );
      this.list.replaceChildren();
      return;
    }
    byId("story-title").textContent = `Item ${path.item}`;
    byId("story-text").replaceChildren(...tell(this.trace, path).map((sentence) => element("p", {}, sentence)));
    const steps = path.steps.slice(0, STEPS_MAX).map((step) => this.step(step));
    if (path.steps.length > STEPS_MAX)
      steps.push(element("li", {}, `and ${count(path.steps.length - STEPS_MAX)} more`));
    this.list.replaceChildren(...steps);
  }

  step(step) {
    const { t, label, because, from, to, mark } = this.trace.steps;
    const worker = from[step] > 0 ? from[step] : to[step];
    const time = element("span", { class: "time" }, clock(t[step]));
    const text = element("span", {}, label[step]);
    if (because[step] !== 0) text.append(" ", element("span", { class: "because" }, `because ${because[step]}`));
    const button = element("button", { type: "button", "data-step": step }, time, text);
    return element("li", { class: `${workerClass(worker)}${mark[step] >= MARK.died ? " died" : ""}` }, button);
  }
}
