// When each worker lived and worked, from the processes and from the frames that carried items to it.

import { KIND, MARK, NONE, processKey } from "./data.js";

/**
 * For each worker (index 0 is unused): `lives` (from, to, process) and `works` (from, to, item, count, step), each in
 * the order of their beginning. A time is in seconds.
 */
export function busy(trace) {
  const lanes = Array.from({ length: trace.workers + 1 }, () => ({ lives: [], works: [] }));
  const ended = new Map();
  for (const row of trace.processes) {
    ended.set(processKey(row.worker, row.incarnation), row.ended);
    lanes[row.worker].lives.push({ from: row.spawned, to: Number.isNaN(row.ended) ? trace.end : row.ended, row });
  }
  const { steps } = trace;
  for (let i = 0; i < steps.size; i++) {
    const death = ended.get(processKey(steps.worker[i], steps.incarnation[i]));
    if (steps.mark[i] === MARK.started && steps.item[i] !== NONE && steps.worker[i] > 0) {
      // A command is started with its item, and lives for it.
      const work = { from: steps.t[i], to: death || trace.end, item: steps.item[i], count: 1, step: i };
      lanes[steps.worker[i]].works.push(work);
    }
    if (steps.kind[i] !== KIND.frame || steps.to[i] <= 0 || Number.isNaN(steps.began[i])) continue;
    // A worker that died over its work worked until then.
    const to = Number.isNaN(steps.finished[i]) ? death || trace.end : steps.finished[i];
    const work = { from: steps.began[i], to, item: steps.item[i], count: Math.max(steps.count[i], 1), step: i };
    lanes[steps.to[i]].works.push(work);
  }
  lastWorks(trace, lanes);
  for (const lane of lanes) {
    lane.works.sort((a, b) => a.from - b.from);
    lane.lives.sort((a, b) => a.from - b.from);
  }
  return lanes;
}

/**
 * A worker that died over an item cannot tell when it began: it did so when it had the item, and had finished what it
 * was at before.
 */
function lastWorks({ steps }, lanes) {
  for (let i = 0; i < steps.size; i++) {
    if (steps.mark[i] !== MARK.died || steps.item[i] === NONE) continue;
    const isOfDead = (n) => steps.worker[n] === steps.worker[i] && steps.incarnation[n] === steps.incarnation[i];
    let n = i - 1;
    while (n >= 0 && !(steps.kind[n] === KIND.frame && steps.to[n] > 0 && isOfDead(n) && has(steps, n, i))) n -= 1;
    if (n < 0 || !Number.isNaN(steps.began[n])) continue;
    const { works } = lanes[steps.to[n]];
    const before = works.filter((work) => work.to <= steps.t[i]).reduce((last, work) => Math.max(last, work.to), 0);
    const had = Number.isNaN(steps.received[n]) ? steps.t[n] : steps.received[n];
    works.push({ from: Math.max(had, before), to: steps.t[i], item: steps.item[i], count: 1, step: n });
  }
}

/** If frame `n` has the item of step `i`. */
function has(steps, n, i) {
  return steps.item[n] <= steps.item[i] && steps.item[i] < steps.item[n] + Math.max(steps.count[n], 1);
}

/** The part of its life that a worker worked, from 0 to 1. */
export function share(lane) {
  const life = lane.lives.reduce((sum, one) => sum + one.to - one.from, 0);
  let [work, until] = [0, -Infinity];
  for (const one of lane.works) {
    work += Math.max(0, one.to - Math.max(one.from, until));
    until = Math.max(until, one.to);
  }
  return life > 0 ? Math.min(work / life, 1) : 0;
}

/** The index of the first of `list` that may overlap `time`: its elements are in order and rarely overlap. */
export function firstAt(list, time) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].to < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
