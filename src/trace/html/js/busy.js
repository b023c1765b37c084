// When each worker lived and worked, from the processes and from the frames that carried items to it.

import { KIND, processKey } from "./data.js";

/**
 * For each worker (index 0 is unused): `lives` (from, to, process) and `works` (from, to, item, count, step), each in
 * the order of their beginning. A time is in seconds.
 */
export function busy(trace) {
  const lanes = Array.from({ length: trace.workers + 1 }, () => ({ lives: [], works: [] }));
  const ended = new Map();
  for (const row of trace.processes) {
    ended.set(processKey(row.worker, row.incarnation), row.ended);
    const from = Number.isNaN(row.spawned) ? 0 : row.spawned;
    lanes[row.worker].lives.push({ from, to: Number.isNaN(row.ended) ? trace.end : row.ended, row });
  }
  const { steps } = trace;
  for (let i = 0; i < steps.size; i++) {
    if (steps.kind[i] !== KIND.frame || steps.to[i] <= 0 || Number.isNaN(steps.began[i])) continue;
    const death = ended.get(processKey(steps.worker[i], steps.incarnation[i]));
    // A worker that died over its work worked until then.
    const to = Number.isNaN(steps.finished[i]) ? death || trace.end : steps.finished[i];
    const work = { from: steps.began[i], to, item: steps.item[i], count: Math.max(steps.count[i], 1), step: i };
    lanes[steps.to[i]].works.push(work);
  }
  for (const lane of lanes) {
    lane.works.sort((a, b) => a.from - b.from);
    lane.lives.sort((a, b) => a.from - b.from);
  }
  return lanes;
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
