/**
 * Where rows are. The position in a file is a row number and a part of a row, never pixels: browsers stop laying out at
 * 17.9 to 33.5 million pixels, and a terabyte at 16 bytes a row is 1.5e12 of them.
 *
 * All offsets are Numbers. They are exact up to 2^53 - 1 (8 PiB), which `largest_file` states; beyond it a file is refused
 * and not shown wrongly. Quotients are taken as (a - a % b) / b, which is exact there, unlike Math.floor(a / b).
 */

/** The largest size that Numbers address exactly. */
export const largestFile = Number.MAX_SAFE_INTEGER;
export const fewestColumns = 8;
export const mostColumns = 64;

/** `row` is the first visible row, `fraction` the part of it above the edge: 0 <= fraction < 1. */
export interface ScrollPosition {
  readonly row: number;
  readonly fraction: number;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** The integer part of a / b, exact for safe integers a >= 0, b > 0. */
export function quotient(a: number, b: number): number {
  return (a - (a % b)) / b;
}

export function rowOf(offset: number, columns: number): number {
  return quotient(offset, columns);
}

export function rowCount(size: number, columns: number): number {
  return quotient(size, columns) + (size % columns === 0 ? 0 : 1);
}

/** The largest first row: with it, the last row of the file is the last that fits whole. */
export function lastTopRow(rows: number, wholeRowsVisible: number): number {
  return Math.max(0, rows - Math.max(1, wholeRowsVisible));
}

/** Moves by a number of rows that need not be whole. Exact in whole rows at every place in the file. */
export function advance(position: ScrollPosition, deltaRows: number, lastTop: number): ScrollPosition {
  const part = position.fraction + deltaRows;
  const floor = Math.floor(part);
  // Just below a whole number, part - floor may round to 1.
  const whole = part - floor < 1 ? floor : floor + 1;
  const row = position.row + whole;
  if (row < 0) return { row: 0, fraction: 0 };
  if (row >= lastTop) return { row: lastTop, fraction: 0 };
  return { row, fraction: Math.max(0, part - whole) };
}

/** Rows from `from` to `to`, for animation: may lose the fraction far away, where it cannot be seen. */
export function distance(from: ScrollPosition, to: ScrollPosition): number {
  return to.row - from.row + (to.fraction - from.fraction);
}

/** The first row that shows `row` with the least movement from `top`. */
export function reveal(row: number, top: number, wholeRowsVisible: number): number {
  const visible = Math.max(1, wholeRowsVisible);
  if (row < top) return row;
  if (row > top + visible - 1) return row - visible + 1;
  return top;
}

export interface Thumb {
  readonly top: number;
  readonly length: number;
}

/**
 * The scrollbar's thumb in pixels. It touches an end of the track only when the view does: at a terabyte a pixel stands for
 * a gigabyte, and a thumb at the very end would lie.
 */
export function thumbAt(
  position: ScrollPosition,
  rows: number,
  lastTop: number,
  trackLength: number,
  shortest: number,
): Thumb {
  if (lastTop === 0 || trackLength <= 0) return { top: 0, length: Math.max(0, trackLength) };
  const length = clamp((trackLength * (rows - lastTop)) / rows, Math.min(shortest, trackLength), trackLength);
  const travel = trackLength - length;
  const exact = (travel * (position.row + position.fraction)) / lastTop;
  const atStart = position.row === 0 && position.fraction === 0;
  const atEnd = position.row >= lastTop;
  if (atStart) return { top: 0, length };
  if (atEnd) return { top: travel, length };
  return { top: travel < 2 ? exact : clamp(exact, 1, travel - 1), length };
}

/**
 * Where a picture of the whole file belongs behind the thumb, as its distance from either end of the track: the middle of the
 * thumb then lies on the middle of what is in view. Zero unless the thumb is longer than its part of the file.
 */
export function mapInset(thumbLength: number, trackLength: number, rows: number, lastTop: number): number {
  if (lastTop === 0) return 0;
  const half = (rows - lastTop) / 2;
  return Math.max(0, thumbLength / 2 - ((trackLength - thumbLength) * half) / lastTop);
}

/** The first row for a thumb at `top` of `travel` pixels; both ends are reached exactly. */
export function rowAtThumb(top: number, travel: number, lastTop: number): number {
  if (travel <= 0 || top <= 0) return 0;
  if (top >= travel) return lastTop;
  return Math.min(lastTop, Math.round((top / travel) * lastTop));
}
