// What a step looks like and how it is said. Pure.

import { KIND, KINDS, MARK, partyName } from "./data.js";
import { clock } from "./words.js";

const MARKS = Object.keys(MARK);

/** The classes of a step's row and of its drawing. */
export function classesOf({ kind, mark, again }, step) {
  const classes = ["row", KINDS[kind[step]], MARKS[mark[step]]];
  if (again[step] === 1) classes.push("again");
  return classes;
}

/** If its label is bold: that of a death, a failure, a signal or a restart. */
export function isBold({ kind, mark, again }, step) {
  return kind[step] === KIND.signal || mark[step] >= MARK.died || again[step] === 1;
}

/** The columns that a step is drawn between. What a process went through is drawn at its worker alone. */
export function endsOf({ from, to, mark }, step) {
  const worker = Math.max(from[step], to[step]);
  const isOwn = worker > 0 && mark[step] !== MARK.plain && mark[step] !== MARK.bad;
  return isOwn ? [worker, worker] : [from[step], to[step]];
}

/** A step as one sentence, for a screen reader. */
export function sayStep(steps, step) {
  const { t, kind, label, because } = steps;
  const [from, to] = endsOf(steps, step).map(partyName);
  const why = because[step] === 0 ? "" : `, because ${because[step]}`;
  return `${clock(t[step])} s, ${KINDS[kind[step]]}, ${from === to ? from : `${from} to ${to}`}: ${label[step]}${why}`;
}
