/** Rows of a file as they are shown: each one, or runs of them folded into one. */

/** Rows of the file that are shown as one. */
export interface Fold {
  readonly row: number;
  readonly rows: number;
}

/** Shown rows and rows of the file are both numbered from 0; before the first and after the last they go on one by one. */
export interface RowLayout {
  /** As many as are shown. */
  readonly rows: number;
  /** The row of the file that is shown as `shown`: of a fold, its first. */
  fileRow: (shown: number) => number;
  /** Where a row of the file is shown: itself, or its fold. */
  shownRow: (row: number) => number;
  foldAt: (shown: number) => Fold | undefined;
}

/** Nothing is folded. */
export function everyRow(rows: number): RowLayout {
  const same = (row: number): number => row;
  return { rows, fileRow: same, shownRow: same, foldAt: () => undefined };
}
