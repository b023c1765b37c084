// The path of one item through the run: its steps, who had it, and how each of them ended it.

import { isEnd, KIND, MARK, NONE, processKey } from "./data.js";
import { clock, duration, items, list, plural } from "./words.js";

/** If step `i` is about `item`: a frame may carry many, consecutive ones. */
function carries(steps, i, item) {
  return steps.item[i] !== NONE && steps.item[i] <= item && item < steps.item[i] + Math.max(steps.count[i], 1);
}

/**
 * The path of `item`: `all` (indices of its steps), `steps` (those that are more than reasoning), and `turns`, one for
 * each time that a worker got it: `step`, `worker`, `pid`, `attempt`, and `end` (`answered`, `died` or `open`) with
 * `last`, the step that ended it.
 */
export function pathOf(trace, item) {
  const { steps } = trace;
  const path = { item, all: [], steps: [], turns: [] };
  const held = new Map();
  for (let i = 0; i < steps.size; i++) {
    const key = processKey(steps.worker[i], steps.incarnation[i]);
    if (carries(steps, i, item)) {
      path.all.push(i);
      if (steps.kind[i] === KIND.frame || steps.mark[i] === MARK.started) follow(steps, path, held, key, i);
    } else if (held.has(key) && (isEnd(steps.mark[i]) || steps.kind[i] === KIND.signal)) {
      path.all.push(i);
    } else {
      continue;
    }
    if (held.has(key) && isEnd(steps.mark[i])) {
      Object.assign(held.get(key), { end: "died", last: i });
      held.delete(key);
    }
  }
  path.steps = path.all.filter((i) => steps.main[i] === 1);
  return path;
}

/** A worker gets the item by a frame, and a command by its start. */
function follow(steps, path, held, key, i) {
  if (steps.to[i] > 0) {
    const turn = {
      step: i,
      worker: steps.to[i],
      pid: steps.pid[i],
      attempt: steps.attempt[i],
      end: "open",
      last: NONE,
    };
    path.turns.push(turn);
    held.set(key, turn);
  } else if (held.has(key)) {
    Object.assign(held.get(key), { end: "answered", last: i });
    held.delete(key);
  }
}

/** The path in sentences, the first of which tells the most. */
export function tell(trace, path) {
  const { steps } = trace;
  if (path.steps.length === 0) return [`Item ${path.item} is not in this trace.`];
  const [first, last] = [path.steps[0], path.steps[path.steps.length - 1]];
  const workers = [...new Set(path.turns.map((turn) => turn.worker))];
  const attempts = new Set(path.turns.map((turn) => turn.attempt)).size;
  const where = workers.length > 0 ? ` on ${workers.length > 1 ? "workers" : "worker"} ${list(workers)}` : "";
  const within = duration(steps.t[last] - steps.t[first]);
  const long = `${plural(path.steps.length, "step")} in ${within}`;
  const head = `Item ${path.item}: ${plural(attempts, "attempt")}${where}, ${long}.`;
  return [head, ...path.turns.map((turn) => tellTurn(steps, turn))];
}

function tellTurn(steps, turn) {
  const pid = turn.pid === NONE ? "" : ` (pid ${turn.pid})`;
  const number = turn.attempt === NONE ? "" : `Attempt ${turn.attempt}: `;
  const batch = steps.count[turn.step] > 1 ? `, with ${items(steps.item[turn.step], steps.count[turn.step])}` : "";
  const got = `${number}worker ${turn.worker}${pid} got it at ${clock(steps.t[turn.step])} s${batch}`;
  if (turn.end === "open") return `${got}; the trace does not tell how that ended.`;
  const after = duration(steps.t[turn.last] - steps.t[turn.step]);
  if (turn.end === "died") return `${got}; ${after} later: ${steps.label[turn.last]}.`;
  return `${got} and answered ${after} later.`;
}
