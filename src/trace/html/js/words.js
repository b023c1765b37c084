// How numbers, times and places are said. Pure: no page, no trace.

/** A duration in seconds, with three digits: `12.3 ms`. */
export function duration(seconds) {
  const size = Math.abs(seconds);
  if (size >= 120) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (size >= 1) return `${digits(seconds)} s`;
  if (size >= 1e-3) return `${digits(seconds * 1e3)} ms`;
  return `${digits(seconds * 1e6)} µs`;
}

function digits(number) {
  const size = Math.abs(number);
  if (size >= 100) return number.toFixed(0);
  return String(Number(number.toFixed(size >= 10 ? 1 : 2)));
}

/** Seconds since the start, to the microsecond: `1.034 512`, in groups that the eye can hold. */
export function clock(seconds) {
  const text = seconds.toFixed(6);
  return `${text.slice(0, -3)}\u202f${text.slice(-3)}`;
}

/** A number with its thousands apart: `12,345`. */
export function count(number) {
  return number.toLocaleString("en");
}

/** `1 item`, `2 items`. */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A size given in KiB: `3.4 MiB`. */
export function memory(kib) {
  if (kib >= 1024 * 1024) return `${digits(kib / 1024 / 1024)} GiB`;
  return kib >= 1024 ? `${digits(kib / 1024)} MiB` : `${kib} KiB`;
}

/** `a`, `a and b`, `a, b and c`. */
export function list(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** `item 7`, `items 7 to 9`. */
export function items(first, number) {
  return number > 1 ? `items ${first} to ${first + number - 1}` : `item ${first}`;
}
