// The trace as the page holds it: one typed array a column. `columns.rs` writes what `read` reads.

export const KINDS = ["frame", "process", "signal", "fact", "order", "output"];
export const KIND = { frame: 0, process: 1, signal: 2, fact: 3, order: 4, output: 5 };
/** What a step is more closely. */
export const MARK = { plain: 0, started: 1, ready: 2, ended: 3, died: 4, bad: 5 };
/** Workers are their numbers, from 1. */
export const PARTY = { supervisor: 0, source: -1, output: -2, outside: -3 };
/** In a column of integers: not known. */
export const NONE = -1;

const PROCESS_FIELDS = [
  "worker",
  "incarnation",
  "pid",
  "ordered",
  "spawned",
  "ready",
  "ended",
  "exit",
  "items",
  "user",
  "system",
  "rss",
];

/** If a step with this mark ends a process. */
export function isEnd(mark) {
  return mark === MARK.ended || mark === MARK.died;
}

/** The trace of a page, from the text of its data block. */
export function read(text) {
  const raw = JSON.parse(text);
  const processes = raw.processes.map(process);
  const steps = inOrder(columns(raw.steps, pids(processes)));
  markDeaths(processes, steps);
  const { run, cut } = raw;
  return { run, cut, processes, steps, workers: workers(run, processes, steps), end: end(processes, steps) };
}

/** The name of a party: `worker 3`. */
export function partyName(party) {
  if (party > 0) return `worker ${party}`;
  return { 0: "supervisor", [-1]: "source", [-2]: "output", [-3]: "outside" }[party];
}

/** Which process a step is about, as a key of a map. */
export function processKey(worker, incarnation) {
  return worker * 0x100000000 + incarnation;
}

function process(row) {
  const value = Object.fromEntries(PROCESS_FIELDS.map((name, index) => [name, row[index]]));
  for (const name of ["ordered", "spawned", "ready", "ended"]) value[name] = value[name] === null ? NaN : value[name] / 1e6;
  value.user /= 1e6;
  value.system /= 1e6;
  return value;
}

function pids(processes) {
  return new Map(processes.map((row) => [processKey(row.worker, row.incarnation), row.pid]));
}

function columns(raw, pidOf) {
  const size = raw.t.length;
  const steps = { size, kind: letters(raw.kind), mark: letters(raw.mark), main: letters(raw.main) };
  steps.label = raw.label;
  // A clause, or 0.
  steps.because = raw.because;
  for (const name of ["from", "to", "worker", "incarnation", "pid", "count", "attempt", "bytes"]) {
    steps[name] = integers(raw[name]);
  }
  steps.t = new Float64Array(size);
  steps.item = new Float64Array(size);
  let [now, item] = [0, 0];
  for (let i = 0; i < size; i++) {
    steps.t[i] = (now += raw.t[i]) / 1e6;
    steps.item[i] = raw.item[i] === null ? NONE : (item += raw.item[i]);
    if (steps.pid[i] === NONE) steps.pid[i] = pidOf.get(processKey(steps.worker[i], steps.incarnation[i])) ?? NONE;
  }
  frames(steps, raw.frame);
  return steps;
}

/** The times of frames, each written as the distance to the last known one before it, the first to the step's. */
function frames(steps, raw) {
  const names = ["queued", "sent", "received", "began", "finished"];
  for (const name of names) steps[name] = new Float64Array(steps.size).fill(NaN);
  let row = 0;
  for (let i = 0; i < steps.size; i++) {
    if (steps.kind[i] !== KIND.frame) continue;
    let micros = Math.round(steps.t[i] * 1e6);
    for (const name of names) {
      const distance = raw[name][row];
      if (distance !== null) steps[name][i] = (micros += distance) / 1e6;
    }
    row += 1;
  }
}

function letters(text) {
  const column = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) column[i] = text.charCodeAt(i) - 48;
  return column;
}

function integers(raw) {
  const column = new Float64Array(raw.length);
  for (let i = 0; i < raw.length; i++) column[i] = raw[i] ?? NONE;
  return column;
}

/** Steps by time. A trace that several processes wrote may tell an earlier step later. */
function inOrder(steps) {
  let sorted = true;
  for (let i = 1; i < steps.size && sorted; i++) sorted = steps.t[i] >= steps.t[i - 1];
  if (sorted) return steps;
  const order = Array.from({ length: steps.size }, (_, i) => i).sort((a, b) => steps.t[a] - steps.t[b] || a - b);
  const result = { size: steps.size };
  for (const [name, column] of Object.entries(steps)) {
    if (name !== "size") result[name] = column.constructor.from(order, (i) => column[i]);
  }
  return result;
}

/** `died` of a process: it ended otherwise than it was meant to. `again` of a step: it starts the next one. */
function markDeaths(processes, steps) {
  const died = new Set();
  for (let i = 0; i < steps.size; i++) {
    if (steps.mark[i] === MARK.died) died.add(processKey(steps.worker[i], steps.incarnation[i]));
  }
  for (const row of processes) row.died = died.has(processKey(row.worker, row.incarnation));
  steps.again = new Uint8Array(steps.size);
  for (let i = 0; i < steps.size; i++) {
    if (steps.mark[i] !== MARK.started) continue;
    steps.again[i] = died.has(processKey(steps.worker[i], steps.incarnation[i] - 1)) ? 1 : 0;
  }
}

function workers(run, processes, steps) {
  let most = Math.max(run.workers, 0);
  for (const row of processes) most = Math.max(most, row.worker);
  for (let i = 0; i < steps.size; i++) most = Math.max(most, steps.worker[i], steps.from[i], steps.to[i]);
  return most;
}

/** When the last thing happened, in seconds. Never 0, so that it may divide. */
function end(processes, steps) {
  let last = steps.size > 0 ? steps.t[steps.size - 1] : 0;
  for (const row of processes) last = Math.max(last, row.ended || 0);
  return Math.max(last, 1e-6);
}
