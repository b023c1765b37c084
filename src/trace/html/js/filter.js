// Which steps are shown. Pure.

/** The numbers of `5-9`, `5..9`, `5` or an empty text (all); null for anything else. */
export function parseRange(text) {
  const words = text.trim();
  if (words === "") return { from: 0, to: Infinity };
  const match = /^(\d+)(?:\s*(?:-|\.\.|–|to)\s*(\d+)?)?$/.exec(words);
  if (match === null) return null;
  const from = Number(match[1]);
  const open = match[2] === undefined && match[0].length > match[1].length;
  const to = match[2] === undefined ? (open ? Infinity : from) : Number(match[2]);
  return from <= to ? { from, to } : null;
}

/** If `filter` is as it was at first. */
export function isOpen(filter) {
  return (
    !filter.reasoning && filter.worker === 0 && filter.kinds.size === 0 && filter.items === "" && filter.text === ""
  );
}

/**
 * The indices of the steps that pass. `filter`: `worker` (0: all), `kinds` (a set of numbers, empty: all), `items` (a
 * text for `parseRange`; what it cannot read leaves nothing out), `text` (part of the label, case aside), `reasoning`
 * (also the steps behind the main ones, which a chosen kind shows in any case).
 */
export function matching(steps, filter, only = null) {
  const range = parseRange(filter.items) ?? { from: 0, to: Infinity };
  const anyItem = range.from === 0 && range.to === Infinity;
  const text = filter.text.trim().toLowerCase();
  const { worker, kinds } = filter;
  const all = filter.reasoning || kinds.size > 0;
  const found = new Int32Array(only === null ? steps.size : only.length);
  let size = 0;
  for (let n = 0; n < found.length; n++) {
    const i = only === null ? n : only[n];
    if (!all && steps.main[i] === 0) continue;
    if (worker > 0 && steps.worker[i] !== worker && steps.from[i] !== worker && steps.to[i] !== worker) continue;
    if (kinds.size > 0 && !kinds.has(steps.kind[i])) continue;
    if (!anyItem) {
      const first = steps.item[i];
      if (first < 0 || first > range.to || first + Math.max(steps.count[i], 1) - 1 < range.from) continue;
    }
    if (text !== "" && !steps.label[i].toLowerCase().includes(text)) continue;
    found[size++] = i;
  }
  return found.subarray(0, size);
}
