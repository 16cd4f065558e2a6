/** Folding of holes for `<hex-view>`, which works without it: set as its `folding`. */

import type { HoleLookup } from '../core/extents';
import { fewestFoldedRows, FoldedRows, foldsOf, rowsOfHole, stillRow, stretches } from '../core/folds';
import type { Fold, RowLayout } from '../core/row_layout';
import { rowCount, rowOf } from '../core/rows';
import type { Span } from '../core/view_link';
import { FoldCell, type FoldState } from './fold_cell';
import styles from './folding.css?inline';

let sheet: CSSStyleSheet | undefined;

export class Folding {
  #holes: HoleLookup | undefined;
  #columns = 16;
  #size = 0;
  #layout: FoldedRows | undefined;
  /** The column to go on in from a fold that a selection took whole. */
  #goal: { readonly cursor: number; readonly column: number } | undefined;
  /** The hole that the band tells of. */
  #told: Span | undefined;
  readonly #button = document.createElement('button');
  readonly #cells = new WeakMap<HTMLElement, FoldCell>();

  /** A hole with an offset of `unfolded` is shown row by row. The set is kept, and follows what is folded and unfolded. */
  constructor(readonly unfolded: Set<number>) {
    this.#button.type = 'button';
    this.#button.textContent = 'Fold';
    this.#button.title = 'Fold this hole (Enter in it)';
  }

  /** Comes into a view: `folded` is told when the hole that its band is about was folded. */
  attach(root: ShadowRoot, band: HTMLElement, folded: () => void): void {
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
    }
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
    this.#button.addEventListener('click', () => {
      if (this.#told && this.#fold(this.#told)) folded();
    });
    band.append(this.#button);
  }

  /** Leaves the view. Its rows are the view's to make anew. */
  detach(): void {
    this.#button.remove();
  }

  /** The rows of a file as they are shown; undefined as long as nothing is known of its holes. */
  layOut(holes: HoleLookup | undefined, columns: number, size: number): RowLayout | undefined {
    this.#holes = holes;
    this.#columns = columns;
    this.#size = size;
    this.#layout = undefined;
    if (!holes) return undefined;
    const open = new Set<number>();
    for (const offset of this.unfolded) {
      const hole = holes.holeAt(offset);
      if (hole) open.add(hole.offset);
      else this.unfolded.delete(offset);
    }
    const folds = foldsOf(holes.holes(fewestFoldedRows * columns), columns, size, open);
    this.#layout = new FoldedRows(rowCount(size, columns), folds);
    return this.#layout;
  }

  /** The bytes of a fold's rows. */
  span({ row, rows }: Fold): Span {
    const offset = row * this.#columns;
    return { offset, length: Math.min(this.#size, (row + rows) * this.#columns) - offset };
  }

  /** The fold that hides a byte. */
  foldOf(offset: number): Fold | undefined {
    return this.#layout?.foldAt(this.#layout.shownRow(rowOf(offset, this.#columns)));
  }

  /** The row of the file that stays in its place on screen. */
  readonly still = stillRow;

  /** The bytes of `count` rows shown from `top` on, without those that are folded; undefined while none is. */
  visible(top: number, count: number): readonly Span[] | undefined {
    const columns = this.#columns;
    return (
      this.#layout &&
      stretches(this.#layout, top, count).map(({ row, rows }) => ({ offset: row * columns, length: rows * columns }))
    );
  }

  /** The byte at a part of all rows as shown: 0 is the first, 1 the file's end; undefined while none is folded. */
  offsetAt(part: number): number | undefined {
    const layout = this.#layout;
    if (!layout || layout.rows === 0) return undefined;
    const at = part * layout.rows;
    const row = Math.min(layout.rows - 1, Math.floor(at));
    const offset = layout.fileRow(row) * this.#columns;
    const end = Math.min(this.#size, layout.fileRow(row + 1) * this.#columns);
    return offset + Math.floor((at - row) * (end - offset));
  }

  /** The byte is to be seen. True: the rows must be laid out anew for it. */
  unfold(offset: number): boolean {
    const hidden = this.foldOf(offset) !== undefined;
    if (hidden || !this.#holes) this.unfolded.add(offset);
    return hidden;
  }

  /** Unfolds the hole at a byte, or folds it again. True: the rows must be laid out anew. */
  toggle(offset: number): boolean {
    if (this.unfold(offset)) return true;
    const hole = this.#holes?.holeAt(offset);
    return hole !== undefined && this.#fold(hole);
  }

  #foldable(hole: Span): boolean {
    return rowsOfHole(hole, this.#columns, this.#size).rows >= fewestFoldedRows;
  }

  #fold({ offset, length }: Span): boolean {
    const inside = [...this.unfolded].filter((place) => place >= offset && place - offset < length);
    for (const place of inside) this.unfolded.delete(place);
    return inside.length > 0 && this.#foldable({ offset, length });
  }

  /** Where a step to the side leads from a fold: beyond it, as from a single byte. Undefined: the cursor is in none. */
  beyond(cursor: number, delta: number): number | undefined {
    const fold = this.foldOf(cursor);
    if (!fold) return undefined;
    const { offset, length } = this.span(fold);
    return delta > 0 ? offset + length : offset - 1;
  }

  /** The column in which steps up and down go on from `cursor`. */
  column(cursor: number): number {
    return this.#goal?.cursor === cursor ? this.#goal.column : cursor % this.#columns;
  }

  /** A selection from `anchor` to `cursor` with all bytes of the folds that it begins or ends in. */
  whole(cursor: number, anchor: number): { readonly cursor: number; readonly anchor: number } {
    const forward = cursor >= anchor;
    const edge = (offset: number, last: boolean): number => {
      const fold = this.foldOf(offset);
      if (!fold) return offset;
      const span = this.span(fold);
      return last ? span.offset + span.length - 1 : span.offset;
    };
    const taken = { cursor: edge(cursor, forward), anchor: edge(anchor, !forward) };
    this.#goal = { cursor: taken.cursor, column: this.column(cursor) };
    return taken;
  }

  /** Shows a row as a fold, or again as what it is. `index` is its own among those on screen. */
  show(row: HTMLElement, index: number, fold: Fold | undefined, state: FoldState): void {
    row.classList.toggle('folded', fold !== undefined);
    if (!fold) return;
    let cell = this.#cells.get(row);
    if (!cell) {
      cell = new FoldCell(row, index);
      this.#cells.set(row, cell);
    }
    cell.show(this.span(fold), this.#columns, state);
  }

  /** The band tells of a hole: it can be folded from there. */
  tell(hole: Span): void {
    this.#told = hole;
    this.#button.hidden = !this.#foldable(hole);
  }
}
