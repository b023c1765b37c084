// Where a step stands on the vertical axis: a line each, or in proportion to time. Pure.

/** The space above the first and below the last step, in pixels. */
const MARGIN = 10;
/** No browser lays out more than about 16 million pixels. Beyond that, the page's height is less than the layout's. */
const PIXELS_MAX = 12_000_000;

/** The shown steps, one line of `line` pixels each. */
export function evenLayout(t, shown, line) {
  const last = shown.length - 1;
  const clamp = (position) => Math.max(0, Math.min(last, position));
  return {
    proportional: false,
    line,
    height: shown.length * line + 2 * MARGIN,
    top: (position) => MARGIN + position * line,
    at: (y) => clamp(Math.floor((y - MARGIN) / line)),
    timeAt(y) {
      if (last < 0) return 0;
      const place = Math.max(0, Math.min(last, (y - MARGIN) / line - 0.5));
      const low = Math.floor(place);
      const [from, to] = [t[shown[low]], t[shown[Math.min(low + 1, last)]]];
      return from + (to - from) * (place - low);
    },
    yOf(time) {
      if (last < 0) return MARGIN;
      const after = lowerBound(t, shown, time);
      if (after === 0) return MARGIN + (time < t[shown[0]] ? 0 : line / 2);
      if (after > last) return MARGIN + (time > t[shown[last]] ? (last + 1) * line : (last + 0.5) * line);
      const [from, to] = [t[shown[after - 1]], t[shown[after]]];
      const part = to > from ? (time - from) / (to - from) : 1;
      return MARGIN + (after - 0.5 + part) * line;
    },
  };
}

/** In proportion to time, a step's label stands in this many pixels above the line of its time. */
const ABOVE = 19;

/** The shown steps, `scale` pixels to a second. */
export function timeLayout(t, shown, scale) {
  const last = shown.length - 1;
  const start = last < 0 ? 0 : t[shown[0]];
  const y = (time) => MARGIN + ABOVE + (time - start) * scale;
  const timeAt = (place) => start + (place - MARGIN - ABOVE) / scale;
  return {
    proportional: true,
    line: 24,
    height: (last < 0 ? 0 : y(t[shown[last]])) + ABOVE + MARGIN,
    top: (position) => y(t[shown[position]]) - ABOVE,
    at: (place) => Math.max(0, Math.min(last, lowerBound(t, shown, timeAt(place)))),
    timeAt,
    yOf: y,
  };
}

/** The scale at which the shown steps are `height` pixels high, in pixels a second. */
export function scaleOf(t, shown, height) {
  const span = shown.length > 0 ? t[shown[shown.length - 1]] - t[shown[0]] : 0;
  return height / Math.max(span, 1e-6);
}

/** The first place in `shown` whose time is `time` or later. */
export function lowerBound(t, shown, time) {
  let [low, high] = [0, shown.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[shown[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Pages of more pixels than a browser lays out: from the place of a scroll bar to one of the layout, and back. */
export function squeeze(height, view) {
  const real = Math.min(height, PIXELS_MAX);
  const ratio = real > view ? (height - view) / (real - view) : 1;
  return { real, toLayout: (top) => top * ratio, toReal: (top) => top / ratio };
}
