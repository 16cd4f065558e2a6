/**
 * Scrolling a list of a million rows with the browser's own scrollbar. Browsers stop laying out at 17.9 to 33.5 million pixels,
 * so a longer list is folded into a shorter box: small movements move by pixels, long ones by the part of the whole.
 */

import { clamp } from './rows';

/** Pixels, well below what every browser lays out. */
export const tallestBox = 8_000_000;

export interface ListGeometry {
  readonly rows: number;
  readonly rowHeight: number;
  /** Of the box that is seen. */
  readonly viewport: number;
}

export function boxHeight({ rows, rowHeight }: ListGeometry): number {
  return Math.min(tallestBox, rows * rowHeight);
}

/** How far the list can be scrolled, in its own pixels, and the box in the browser's. */
function reach(geometry: ListGeometry): { list: number; box: number } {
  return {
    list: Math.max(0, geometry.rows * geometry.rowHeight - geometry.viewport),
    box: Math.max(0, boxHeight(geometry) - geometry.viewport),
  };
}

/** The box's scrollTop for a place in the list. */
export function scrollTopFor(place: number, geometry: ListGeometry): number {
  const { list, box } = reach(geometry);
  if (list <= box) return clamp(place, 0, box);
  // Whole pixels: browsers round what they are given, and the difference must not be taken for a movement.
  return clamp(Math.round((place / list) * box), place > 0 ? 1 : 0, place < list ? Math.max(1, box - 1) : box);
}

/**
 * The place in the list (pixels above the first that is seen) once the box was scrolled from `before` to `after`. A wheel, a
 * key or a finger moves the list by as much as the box; a dragged thumb goes to its part of the list. What is less than a
 * quarter of what a thumb's pixel stands for was no thumb. Both ends are reached by either.
 */
export function placeAfter(place: number, before: number, after: number, geometry: ListGeometry): number {
  const { list, box } = reach(geometry);
  if (list <= box) return clamp(after, 0, list);
  if (after <= 0) return 0;
  if (after >= box) return list;
  const moved = after - before;
  return Math.abs(moved) < box / geometry.viewport / 4 ? clamp(place + moved, 0, list) : (after / box) * list;
}

/** The rows to draw: those that are seen, and `spare` to either side. */
export function visibleRows(place: number, geometry: ListGeometry, spare: number): { first: number; end: number } {
  const { rows, rowHeight, viewport } = geometry;
  const first = clamp(Math.floor(place / rowHeight) - spare, 0, rows);
  return { first, end: clamp(Math.ceil((place + viewport) / rowHeight) + spare, first, rows) };
}

/** The least movement that shows a row whole. */
export function reveal(row: number, place: number, { rowHeight, viewport }: ListGeometry): number {
  const top = row * rowHeight;
  if (top < place) return top;
  return top + rowHeight > place + viewport ? top + rowHeight - viewport : place;
}
