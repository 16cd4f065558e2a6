/** Holes as folds: which rows of a file they hide, and where the other rows are shown. */

import type { Fold, RowLayout } from './row_layout';
import { quotient, rowCount } from './rows';
import type { Span } from './view_link';

/** A shorter hole stays as it is: it is about as high as a screen, and scrolled over at once. */
export const fewestFoldedRows = 64;

/** The rows that lie within a hole whole. The last row of a file is whole, however short it is. */
export function rowsOfHole(hole: Span, columns: number, size: number): Fold {
  const end = hole.offset + hole.length;
  const row = rowCount(hole.offset, columns);
  const after = end >= size ? rowCount(size, columns) : quotient(end, columns);
  return { row, rows: Math.max(0, after - row) };
}

/** The folds for `holes`, which are in order; those that begin at an offset of `unfolded` are left as they are. */
export function foldsOf(
  holes: Iterable<Span>,
  columns: number,
  size: number,
  unfolded: ReadonlySet<number>,
): readonly Fold[] {
  const folds: Fold[] = [];
  for (const hole of holes) {
    const fold = rowsOfHole(hole, columns, size);
    if (fold.rows >= fewestFoldedRows && !unfolded.has(hole.offset)) folds.push(fold);
  }
  return folds;
}

/** The last index whose value is at most `limit`, or -1: the values ascend. */
function lastAtMost(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (values[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Of `count` rows in view from `top` on, the one of the file that stays where it is when the layout becomes another: the cursor's,
 * or else the first that is apart from any fold both before and after.
 */
export function stillRow(before: RowLayout, after: RowLayout, top: number, count: number, cursor: number): number {
  const place = before.shownRow(cursor) - top;
  const inView = place >= 0 && place < count;
  const apart = (row: number): boolean =>
    [before, after].every((layout) => layout.foldAt(layout.shownRow(row)) === undefined);
  if (inView && apart(cursor)) return cursor;
  for (let shown = top; shown < Math.min(top + count, before.rows); ++shown) {
    const row = before.fileRow(shown);
    if (apart(row)) return row;
  }
  return inView ? cursor : before.fileRow(top);
}

/** The stretches of rows of the file that are among the `count` rows shown from `top` on, without the folds. */
export function stretches(layout: RowLayout, top: number, count: number): readonly Fold[] {
  const found: { row: number; rows: number }[] = [];
  for (let shown = top; shown < top + count; ++shown) {
    if (layout.foldAt(shown)) continue;
    const row = layout.fileRow(shown);
    const last = found.at(-1);
    if (last && last.row + last.rows === row) ++last.rows;
    else found.push({ row, rows: 1 });
  }
  return found;
}

/** Rows of a file of which some are folded. Either way of asking costs a binary search over the folds. */
export class FoldedRows implements RowLayout {
  readonly rows: number;
  /** The first row of each fold, in the file and as it is shown. Float64: rows go beyond 32 bits, and below 2^53 are exact. */
  readonly #inFile: Float64Array;
  readonly #shown: Float64Array;

  /** `folds` are in order, and neither touch nor overlap. */
  constructor(
    fileRows: number,
    private readonly folds: readonly Fold[],
  ) {
    this.#inFile = Float64Array.from(folds, ({ row }) => row);
    this.#shown = new Float64Array(folds.length);
    let hidden = 0;
    folds.forEach(({ row, rows }, index) => {
      this.#shown[index] = row - hidden;
      hidden += rows - 1;
    });
    this.rows = fileRows - hidden;
  }

  fileRow(shown: number): number {
    const index = lastAtMost(this.#shown, shown);
    const fold = this.folds[index];
    if (!fold) return shown;
    const below = shown - this.#shown[index]!;
    return below === 0 ? fold.row : fold.row + fold.rows + below - 1;
  }

  shownRow(row: number): number {
    const index = lastAtMost(this.#inFile, row);
    const fold = this.folds[index];
    if (!fold) return row;
    const within = row - fold.row;
    return this.#shown[index]! + (within < fold.rows ? 0 : within - fold.rows + 1);
  }

  foldAt(shown: number): Fold | undefined {
    const index = lastAtMost(this.#shown, shown);
    return this.#shown[index] === shown ? this.folds[index] : undefined;
  }
}
