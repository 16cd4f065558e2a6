/**
 * `<hex-view>`: a grid of a file's bytes, as large as a Number can address, in as many DOM nodes as are on screen. It belongs
 * to no framework: give it a `source` and listen for its events.
 *
 * Properties: source, columns, group, encoding, cursor, anchor, selection, marks, hits, highlight, position, folding.
 * Events: `cursorchange` (cursor or selection moved), `viewchange` (other rows are in view), `layoutchange` (rows were folded or
 * unfolded), `seekdata` (somebody wants out of a hole; detail is 1 or -1), all without bubbling.
 * Slot: `map`, a picture of the file behind the scrollbar's thumb. Where its first byte belongs is --map-inset from the top.
 * Its own keys: arrows, Page Up/Down, Home/End, with Ctrl for the file's ends or groups, with Shift to select, Ctrl+A, Escape;
 * Enter to unfold a hole or fold it.
 *
 * A place on screen is a row as it is shown, which layout maps to rows of the file and back; an offset is a byte of the file.
 */

import { addressDigits, formatAddress, formatHex, formatSize, hexPairs } from '../core/format';
import type { HoleLookup } from '../core/extents';
import { type PageSource, pageSize, type SourceHealth } from '../core/page_source';
import { everyRow, type Fold, type RowLayout } from '../core/row_layout';
import {
  advance,
  clamp,
  distance,
  fewestColumns,
  lastTopRow,
  mapInset,
  mostColumns,
  quotient,
  reveal,
  rowAtThumb,
  rowCount,
  rowOf,
  type ScrollPosition,
  type Thumb,
  thumbAt,
} from '../core/rows';
import { byteClasses, decodeRow, type TextEncoding, controlSign, highSign, zeroSign } from '../core/text_encodings';
import type { Span } from '../core/view_link';
import type { Folding } from './folding';
import styles from './hex_view.css?inline';

/** Rows that ARIA can number: the attribute is a 32-bit integer in browsers. */
const mostCountedRows = 2 ** 31 - 2;
/** decodeRow looks this far beyond a row. */
const margin = 3;
const shortestThumb = 28;
/** With fewer rows of a hole in view, a band would hide them all. */
const fewestBandRows = 3;
/** Rows from the middle of a band to that of the cursor's row. */
const bandRoom = 2;
/** Milliseconds in which a wheel's step has come to 63 %. */
const wheelTime = 45;
/** Milliseconds in which a flung view has slowed to 37 %; iOS and Android lie near it. */
const flingTime = 325;
const longPressTime = 450;
const matchInside = 1;
const matchBegin = 2;
/** Pixels that a finger may move within a tap. */
const tapSlop = 9;

interface Cell {
  readonly element: HTMLElement;
  readonly text: Text;
  shown: string;
  classes: string;
}

interface Row {
  readonly element: HTMLElement;
  readonly address: HTMLElement;
  readonly bytes: Cell[];
  readonly chars: Cell[];
  readonly textCell: HTMLElement;
  readonly note: HTMLElement;
  readonly noteText: Text;
  readonly retry: HTMLButtonElement;
  shownAddress: string;
  shownText: string;
  shownNote: string;
  shownIndex: number;
  selected: boolean[];
  changed: boolean[];
}

function element(tag: string, classes: string, role?: string): HTMLElement {
  const made = document.createElement(tag);
  if (classes !== '') made.className = classes;
  if (role !== undefined) made.setAttribute('role', role);
  return made;
}

function makeCell(base: string, role: string | undefined): Cell {
  const made = element('span', base, role);
  const text = document.createTextNode('');
  made.append(text);
  return { element: made, text, shown: '', classes: base };
}

function showText(cell: Cell, text: string): void {
  if (cell.shown === text) return;
  cell.shown = text;
  cell.text.data = text;
}

function showClasses(cell: Cell, classes: string): void {
  if (cell.classes === classes) return;
  cell.classes = classes;
  cell.element.className = classes;
}

function within(spans: readonly Span[], offset: number): boolean {
  return spans.some((span) => offset >= span.offset && offset - span.offset < span.length);
}

let sheet: CSSStyleSheet | undefined;

export class HexView extends HTMLElement {
  #source: PageSource | undefined;
  #unsubscribe: (() => void) | undefined;
  #columns = 16;
  #group = 4;
  #encoding: TextEncoding = 'ascii';
  #cursor = 0;
  #anchor: number | undefined;
  #marks: readonly Span[] = [];
  #hits: readonly Span[] = [];
  #highlight: Span | undefined;
  #hovered = -1;
  /** The cursor moved by a key: it must be seen. */
  #stepped = false;
  #folding: Folding | undefined;
  #layout: RowLayout = everyRow(0);
  /** What the layout was made of. */
  #laidOut: HoleLookup | undefined;

  /** Where the view is, and where it is going: they differ while a wheel's step is under way. */
  #position: ScrollPosition = { row: 0, fraction: 0 };
  #target: ScrollPosition = { row: 0, fraction: 0 };
  #travel: 1 | -1 = 1;
  #announcedRow = -1;
  #announcedHeight = -1;

  #frame = 0;
  #lastFrame = 0;
  #velocity = 0;
  #rowHeight = 22;
  #bodyHeight = 0;
  #bodyTop = 0;
  #trackLength = 0;
  #thumb: Thumb = { top: 0, length: 0 };
  #byteCentres: number[] = [];
  #charCentres: number[] = [];
  #rows: Row[] = [];
  #drag:
    | { kind: 'select' | 'pan' | 'thumb'; pointer: number; x: number; y: number; moved: boolean; grab: number }
    | undefined;
  #dragTime = 0;
  #longPress: ReturnType<typeof setTimeout> | undefined;

  readonly #pane = element('div', 'pane');
  readonly #grid = element('div', 'grid', 'grid');
  readonly #head = element('div', 'head', 'row');
  readonly #body = element('div', 'body', 'presentation');
  readonly #rowsElement = element('div', 'rows', 'rowgroup');
  readonly #track = element('div', 'track', 'scrollbar');
  readonly #thumbElement = element('div', 'thumb');
  readonly #bubble = element('div', 'bubble');
  readonly #band = element('div', 'band');
  readonly #bandText = document.createTextNode('');
  #shownBand = '';
  readonly #resize = new ResizeObserver(() => this.#measure());
  #headCells: HTMLElement[] = [];

  readonly #window = new Int16Array(mostColumns + 2 * margin);
  readonly #glyphs: string[] = [];

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
    }
    root.adoptedStyleSheets = [sheet];
    this.#grid.id = 'grid';
    this.#grid.tabIndex = 0;
    this.#grid.setAttribute('aria-label', 'Bytes');
    this.#grid.setAttribute('aria-multiselectable', 'true');
    this.#grid.setAttribute('aria-readonly', 'true');
    this.#head.setAttribute('aria-rowindex', '1');
    this.#body.append(this.#rowsElement);
    this.#grid.append(this.#head, this.#body);
    this.#pane.append(this.#grid);
    this.#track.setAttribute('aria-label', 'Position in the file');
    this.#track.setAttribute('aria-orientation', 'vertical');
    this.#track.setAttribute('aria-controls', 'grid');
    this.#track.setAttribute('aria-valuemin', '0');
    this.#track.setAttribute('aria-valuemax', '100');
    this.#track.setAttribute('aria-valuenow', '0');
    const map = document.createElement('slot');
    map.name = 'map';
    map.addEventListener('slotchange', () => {
      this.#track.classList.toggle('mapped', map.assignedElements().length > 0);
      this.#invalidate();
    });
    this.#track.append(map, this.#thumbElement);
    this.#makeBand();
    this.#bubble.hidden = true;
    this.#bubble.setAttribute('aria-hidden', 'true');
    root.append(this.#pane, this.#track, this.#bubble, this.#band);

    this.#grid.addEventListener('keydown', (event) => this.#key(event));
    this.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.#body.addEventListener('pointerdown', (event) => this.#bodyDown(event));
    this.#body.addEventListener('pointermove', (event) => this.#bodyMove(event));
    this.#body.addEventListener('pointerup', (event) => this.#bodyUp(event));
    this.#body.addEventListener('pointercancel', () => this.#endDrag());
    // A long press selects; Android would open a menu over it.
    this.#body.addEventListener('contextmenu', (event) => this.#drag && event.preventDefault());
    this.#body.addEventListener('pointerleave', () => this.#hover(-1));
    this.#track.addEventListener('pointerdown', (event) => this.#trackDown(event));
    this.#track.addEventListener('pointermove', (event) => this.#trackMove(event));
    this.#track.addEventListener('pointerup', () => this.#endDrag());
    this.#track.addEventListener('pointercancel', () => this.#endDrag());
    this.#buildRows();
  }

  connectedCallback(): void {
    this.#resize.observe(this.#body);
    this.#resize.observe(this.#track);
    this.#measure();
  }

  disconnectedCallback(): void {
    this.#resize.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    clearTimeout(this.#longPress);
  }

  override focus(options?: FocusOptions): void {
    this.#grid.focus(options);
  }

  get focused(): boolean {
    return this.shadowRoot?.activeElement === this.#grid;
  }

  get source(): PageSource | undefined {
    return this.#source;
  }

  /** Another version of the file: cursor, selection and position stay, as far as it reaches. */
  set source(source: PageSource | undefined) {
    if (source === this.#source) return;
    this.#unsubscribe?.();
    this.#source = source;
    this.#unsubscribe = source?.subscribe(() => {
      this.#noteHoles();
      this.#invalidate();
    });
    this.#cursor = this.#inFile(this.#cursor);
    if (this.#anchor !== undefined) this.#anchor = this.#inFile(this.#anchor);
    this.#relayout();
    this.#describeGrid();
    this.#moveTo(this.#position.row);
    this.#measure();
  }

  get columns(): number {
    return this.#columns;
  }

  /** 8 to 64. The byte at the top left stays in the first row. */
  set columns(columns: number) {
    const wanted = clamp(Math.trunc(columns) || 16, fewestColumns, mostColumns);
    if (wanted === this.#columns) return;
    const { top } = this;
    this.#columns = wanted;
    this.#layout = this.#layOut();
    this.#describeGrid();
    this.#buildRows();
    this.#moveTo(this.#shownRow(top));
    this.dispatchEvent(new Event('layoutchange'));
  }

  get group(): number {
    return this.#group;
  }

  set group(group: number) {
    if (group === this.#group || group < 1) return;
    this.#group = Math.trunc(group);
    this.#buildRows();
  }

  get encoding(): TextEncoding {
    return this.#encoding;
  }

  set encoding(encoding: TextEncoding) {
    this.#encoding = encoding;
    this.#invalidate();
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** The byte where a selection began, or undefined without one. */
  get anchor(): number | undefined {
    return this.#anchor;
  }

  /** The selected bytes, or else the one at the cursor; empty in an empty file. */
  get selection(): Span {
    if (!this.#source || this.#source.size === 0) return { offset: 0, length: 0 };
    const other = this.#anchor ?? this.#cursor;
    const offset = Math.min(other, this.#cursor);
    return { offset, length: Math.max(other, this.#cursor) - offset + 1 };
  }

  get marks(): readonly Span[] {
    return this.#marks;
  }

  set marks(marks: readonly Span[]) {
    this.#marks = marks;
    this.#invalidate();
  }

  get hits(): readonly Span[] {
    return this.#hits;
  }

  /** What a search found in view; may be many. */
  set hits(hits: readonly Span[]) {
    if (hits.length === 0 && this.#hits.length === 0) return;
    this.#hits = hits;
    this.#invalidate();
  }

  get highlight(): Span | undefined {
    return this.#highlight;
  }

  set highlight(span: Span | undefined) {
    this.#highlight = span;
    this.#invalidate();
  }

  get folding(): Folding | undefined {
    return this.#folding;
  }

  /** Folds the holes of which the source knows; undefined: none is folded. */
  set folding(folding: Folding | undefined) {
    if (folding === this.#folding) return;
    const before = this.#folding;
    before?.detach();
    this.#folding = folding;
    folding?.attach(this.shadowRoot!, this.#band, () => {
      this.#relayout();
      this.focus();
    });
    this.#relayout(undefined, folding ?? before);
    this.#buildRows();
  }

  /** Lays the rows out anew, after what is unfolded was changed. What is in view stays there. */
  refold(): void {
    this.#relayout();
  }

  /** The first offset of the first row that is visible. */
  get top(): number {
    return this.#layout.fileRow(this.#target.row) * this.#columns;
  }

  /** Where the bytes end that are in whole rows in view; may be beyond the file's end. */
  get bottom(): number {
    return this.#layout.fileRow(this.#target.row + this.wholeRows) * this.#columns;
  }

  /** The bytes in view without those that are folded, and a row more; may go beyond the file's end. */
  get visible(): readonly Span[] {
    const { top, wholeRows } = this;
    return (
      this.#folding?.visible(this.#target.row, wholeRows + 1) ?? [
        { offset: top, length: (wholeRows + 1) * this.#columns },
      ]
    );
  }

  /** The byte at a part of all that is shown, as the scrollbar's track has it: 0 is the first, 1 the file's end. */
  offsetAt(part: number): number {
    return this.#folding?.offsetAt(part) ?? Math.floor(part * (this.#source?.size ?? 0));
  }

  /** The last row is in view. */
  get atEnd(): boolean {
    return this.#target.row >= this.#lastTop();
  }

  scrollToEnd(): void {
    this.#moveTo(this.#lastTop());
  }

  get wholeRows(): number {
    return Math.max(1, Math.floor(this.#bodyHeight / this.#rowHeight));
  }

  /**
   * Sets the cursor, with `anchor` the selection, and scrolls as little as shows it; far away it comes to a third from above.
   * The hole that it is in is unfolded.
   */
  select(cursor: number, anchor?: number): void {
    this.#setCursor(cursor, anchor);
    if (this.#folding?.unfold(this.#cursor)) this.#relayout();
    const row = this.#shownRow(this.#cursor);
    const top = this.#target.row;
    if (row < top || row >= top + this.wholeRows) this.#moveTo(row - Math.floor(this.wholeRows / 3));
    else this.#moveTo(top);
  }

  /** Selects `span` with its beginning in view. */
  selectSpan({ offset, length }: Span): void {
    this.select(offset);
    if (length > 1) this.#setCursor(offset + length - 1, offset);
  }

  /** The row with `offset` becomes the first one. */
  scrollToOffset(offset: number): void {
    this.#moveTo(this.#shownRow(this.#inFile(offset)));
  }

  /** Moves by rows at once, fractions too. */
  scrollByRows(rows: number): void {
    this.#velocity = 0;
    this.#setTarget(advance(this.#target, rows, this.#lastTop()), true);
  }

  #inFile(offset: number): number {
    return clamp(Math.trunc(offset) || 0, 0, Math.max(0, (this.#source?.size ?? 0) - 1));
  }

  /** Where the row of a byte is shown. */
  #shownRow(offset: number): number {
    return this.#layout.shownRow(rowOf(offset, this.#columns));
  }

  #lastTop(): number {
    return lastTopRow(this.#layout.rows, this.wholeRows);
  }

  #layOut(): RowLayout {
    const size = this.#source?.size ?? 0;
    this.#laidOut = this.#source?.holes;
    return this.#folding?.layOut(this.#laidOut, this.#columns, size) ?? everyRow(rowCount(size, this.#columns));
  }

  /** Holes may become known at any time. What is being dragged is not moved away under the pointer. */
  #noteHoles(): void {
    if (this.#folding && !this.#drag && this.#source?.holes !== this.#laidOut) this.#relayout();
  }

  /** Lays the rows out anew; `still` is the row of the file that stays where it is on screen, if there is room for it there. */
  #relayout(still?: number, folding = this.#folding): void {
    const before = this.#layout;
    const after = this.#layOut();
    const cursor = rowOf(this.#cursor, this.#columns);
    const top = this.#position.row;
    const anchor = still ?? folding?.still(before, after, top, this.wholeRows, cursor) ?? before.fileRow(top);
    const row = after.shownRow(anchor) - (before.shownRow(anchor) - top);
    const way = distance(this.#position, this.#target);
    this.#layout = after;
    this.#describeRows();
    this.#position = advance({ row, fraction: this.#position.fraction }, 0, this.#lastTop());
    this.#target = way === 0 ? this.#position : advance(this.#position, way, this.#lastTop());
    this.#announcedRow = -1;
    this.#invalidate();
    this.dispatchEvent(new Event('layoutchange'));
  }

  #toggleFold(offset: number): boolean {
    const fold = this.#folding?.foldOf(offset);
    if (!this.#folding?.toggle(offset)) return false;
    this.#relayout(fold?.row);
    return true;
  }

  #moveTo(row: number): void {
    this.#velocity = 0;
    this.#setTarget({ row: clamp(row, 0, this.#lastTop()), fraction: 0 }, true);
  }

  #setTarget(target: ScrollPosition, atOnce: boolean): void {
    const way = distance(this.#position, target);
    if (way !== 0) this.#travel = way > 0 ? 1 : -1;
    this.#target = target;
    if (atOnce) this.#position = target;
    this.#invalidate();
  }

  #setCursor(cursor: number, anchor: number | undefined): void {
    const next = this.#inFile(cursor);
    const fixed = anchor === undefined ? undefined : this.#inFile(anchor);
    if (next === this.#cursor && fixed === this.#anchor) return;
    this.#cursor = next;
    this.#anchor = fixed;
    this.#invalidate();
    this.dispatchEvent(new Event('cursorchange'));
  }

  #describeRows(): void {
    const { rows } = this.#layout;
    // Beyond 32 bits ARIA's answer is -1, "unknown"; the row header has the address.
    this.#grid.setAttribute('aria-rowcount', String(rows > mostCountedRows ? -1 : rows + 1));
  }

  #describeGrid(): void {
    this.#describeRows();
    this.#grid.setAttribute('aria-colcount', String(this.#columns + 2));
    this.#buildHead();
  }

  #buildHead(): void {
    const digits = addressDigits(this.#source?.size ?? 0);
    const corner = element('span', 'address', 'columnheader');
    corner.textContent = 'Offset';
    this.style.setProperty('--digits', String(digits));
    this.style.setProperty('--quads', String(this.#quads(digits).length));
    const cells = Array.from({ length: this.#columns }, (_, column) => {
      const cell = element('span', column > 0 && column % this.#group === 0 ? 'byte gap' : 'byte', 'columnheader');
      cell.textContent = hexPairs[column]!;
      return cell;
    });
    const text = element('span', 'text', 'columnheader');
    text.textContent = 'Text';
    this.#headCells = cells;
    this.#head.replaceChildren(corner, ...cells, text);
  }

  #quads(digits: number): [number, number][] {
    const first = digits % 4;
    const quads: [number, number][] = first > 0 ? [[0, first]] : [];
    for (let at = first; at < digits; at += 4) quads.push([at, at + 4]);
    return quads;
  }

  #buildRows(): void {
    this.#rows = [];
    this.#rowsElement.replaceChildren();
    this.#buildHead();
    this.#measure();
  }

  #makeRow(index: number): Row {
    const row = element('div', 'row', 'row');
    const address = element('span', 'address', 'rowheader');
    const bytes = Array.from({ length: this.#columns }, (_, column) => {
      const cell = makeCell('byte', 'gridcell');
      cell.element.id = `c${index}-${column}`;
      cell.element.setAttribute('aria-colindex', String(column + 2));
      return cell;
    });
    const textCell = element('span', 'text', 'gridcell');
    textCell.setAttribute('aria-colindex', String(this.#columns + 2));
    const chars = Array.from({ length: this.#columns }, () => {
      const cell = makeCell('char', undefined);
      cell.element.setAttribute('aria-hidden', 'true');
      return cell;
    });
    textCell.append(...chars.map((cell) => cell.element));
    const note = element('span', 'note', 'gridcell');
    note.setAttribute('aria-colindex', '2');
    note.setAttribute('aria-colspan', String(this.#columns + 1));
    note.hidden = true;
    const noteText = document.createTextNode('');
    const retry = document.createElement('button');
    retry.type = 'button';
    retry.textContent = 'Try again';
    const label = element('span', '');
    label.append(noteText);
    note.append(label, retry);
    retry.addEventListener('pointerdown', (event) => event.stopPropagation());
    retry.addEventListener('keydown', (event) => event.stopPropagation());
    row.append(address, ...bytes.map((cell) => cell.element), textCell, note);
    const made: Row = {
      element: row,
      address,
      bytes,
      chars,
      textCell,
      note,
      noteText,
      retry,
      shownAddress: '',
      shownText: '',
      shownNote: '',
      shownIndex: -1,
      selected: new Array<boolean>(this.#columns).fill(false),
      changed: new Array<boolean>(this.#columns).fill(false),
    };
    retry.addEventListener('click', () => {
      const at = this.#layout.fileRow(this.#position.row + index) * this.#columns;
      this.#source?.retry(quotient(at, pageSize));
      this.focus();
    });
    return made;
  }

  #measure(): void {
    if (!this.isConnected) return;
    if (this.#rows.length === 0) this.#addRow();
    const first = this.#rows[0]!;
    first.element.hidden = false;
    this.#rowHeight = first.element.getBoundingClientRect().height || 22;
    const body = this.#body.getBoundingClientRect();
    const row = this.#shownRow(this.#cursor);
    const cursorShown = this.#bodyHeight > 0 && reveal(row, this.#target.row, this.wholeRows) === this.#target.row;
    this.#bodyHeight = body.height;
    this.#bodyTop = body.top;
    this.#trackLength = this.#track.clientHeight;
    const centre = (cell: HTMLElement): number => {
      const box = cell.getBoundingClientRect();
      return box.left + box.width / 2 - body.left;
    };
    this.#byteCentres = this.#headCells.map(centre);
    const text = this.#head.lastElementChild!.getBoundingClientRect().left - body.left;
    const width = this.#charWidth();
    this.#charCentres = this.#headCells.map((_, column) => text + (column + 0.5) * width);
    // A larger window shows more rows: the end of the file must not leave a hole below.
    const lastTop = this.#lastTop();
    if (this.#target.row > lastTop) this.#moveTo(lastTop);
    // A smaller one, as when a list of matches opens above, must not hide where the cursor is.
    const top = reveal(row, this.#target.row, this.wholeRows);
    if (cursorShown && top !== this.#target.row) this.#moveTo(top);
    this.#invalidate();
  }

  #charWidth(): number {
    const byte = this.#headCells[0]!;
    const style = getComputedStyle(byte);
    return (byte.getBoundingClientRect().width - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)) / 2;
  }

  #addRow(): Row {
    const row = this.#makeRow(this.#rows.length);
    this.#rows.push(row);
    this.#rowsElement.append(row.element);
    return row;
  }

  #invalidate(): void {
    if (this.#frame === 0 && this.isConnected) this.#frame = requestAnimationFrame((time) => this.#tick(time));
  }

  #tick(time: number): void {
    this.#frame = 0;
    const elapsed = this.#lastFrame === 0 ? 16 : Math.min(64, time - this.#lastFrame);
    this.#lastFrame = time;
    this.#animate(elapsed);
    this.#render();
    if (this.#position !== this.#target || this.#velocity !== 0 || this.#drag?.kind === 'select') this.#invalidate();
    else this.#lastFrame = 0;
  }

  #animate(elapsed: number): void {
    const lastTop = this.#lastTop();
    if (this.#velocity !== 0) {
      this.#setTarget(advance(this.#target, (this.#velocity * elapsed) / this.#rowHeight, lastTop), true);
      this.#velocity *= Math.exp(-elapsed / flingTime);
      const ended = this.#target.row >= lastTop || (this.#target.row === 0 && this.#target.fraction === 0);
      if (Math.abs(this.#velocity) < 0.02 || ended) this.#velocity = 0;
    }
    if (this.#drag?.kind === 'select' && this.#drag.moved) this.#scrollAtEdge(elapsed);
    if (this.#position === this.#target) return;
    const way = distance(this.#position, this.#target);
    if (Math.abs(way) < 0.04 || Math.abs(way) > 4 * this.wholeRows) this.#position = this.#target;
    else this.#position = advance(this.#position, way * (1 - Math.exp(-elapsed / wheelTime)), lastTop);
  }

  /** A selection that is dragged over an edge pulls the file along, faster the further out. */
  #scrollAtEdge(elapsed: number): void {
    const y = this.#drag!.y - this.#bodyTop;
    const beyond = y < 0 ? y : Math.max(0, y - this.wholeRows * this.#rowHeight);
    if (beyond === 0) return;
    this.#setTarget(advance(this.#target, (beyond * elapsed) / 400, this.#lastTop()), true);
    this.#extendTo(this.#drag!.x, this.#drag!.y);
  }

  #render(): void {
    const source = this.#source;
    const size = source?.size ?? 0;
    const columns = this.#columns;
    const { row: top, fraction } = this.#position;
    const layout = this.#layout;
    const rowTotal = layout.rows;
    const needed = Math.min(rowTotal - top, Math.ceil(this.#bodyHeight / this.#rowHeight + fraction - 1e-6));
    while (this.#rows.length < needed) this.#addRow();
    while (this.#rows.length > Math.max(1, needed)) this.#rows.pop()!.element.remove();
    this.#rows[0]!.element.hidden = needed < 1;
    this.#rowsElement.style.transform = `translateY(${-fraction * this.#rowHeight}px)`;

    if (source && needed > 0) this.#want(source, top, needed);

    const digits = addressDigits(size);
    const quads = this.#quads(digits);
    const { offset: selectFrom, length: selectLength } = this.selection;
    const selecting = this.#anchor !== undefined;
    const firstOffset = layout.fileRow(top) * columns;
    const windowEnd = layout.fileRow(top + needed) * columns;
    const marks = this.#marks.filter((mark) => mark.offset < windowEnd && mark.offset + mark.length > firstOffset);
    const highlights = this.#highlight ? [this.#highlight] : [];
    const hits = this.#hits.filter((match) => match.offset < windowEnd && match.offset + match.length > firstOffset);
    const classes = byteClasses(this.#encoding);
    const bytes = this.#window.subarray(0, columns + 2 * margin);
    const glyphs = this.#glyphs;
    glyphs.length = columns;
    const byteAt = (index: number): number => bytes[index + margin]!;
    const cursorRow = this.#shownRow(this.#cursor);
    let notedPage = -1;
    let hole: Span | undefined;
    /** Where the largest visible run of rows within one hole is. */
    let band: { from: number; rows: number; hole: Span } | undefined;
    let run: typeof band;

    for (let index = 0; index < needed; ++index) {
      const row = this.#rows[index]!;
      const base = layout.fileRow(top + index) * columns;
      this.#showAddress(row, formatAddress(base, digits), quads);
      this.#showIndex(row, rowTotal > mostCountedRows ? index + 2 : top + index + 2);
      const current = top + index === cursorRow && size > 0;
      row.element.classList.toggle('current', current);
      const fold = layout.foldAt(top + index);
      this.#showFold(row.element, index, fold, current);
      if (fold) {
        run = undefined;
        continue;
      }

      const length = Math.min(columns, size - base);
      source!.peek(base - margin, bytes);
      decodeRow(this.#encoding, byteAt, glyphs);
      const matched = this.#matchedBytes(hits, base, columns);
      const missingAt = this.#firstMissing(byteAt, length);
      const page = missingAt < 0 ? -1 : quotient(base + missingAt, pageSize);
      const note = page < 0 ? '' : this.#noteFor(source!, page);
      this.#showNote(row, note, page >= 0 && source!.state(page).kind === 'failed', page !== notedPage);
      if (note !== '') notedPage = page;
      hole = source!.holeAt(base) ?? source!.holeAt(base + length - 1);
      const hollow = hole !== undefined && hole.offset <= base && base + length <= hole.offset + hole.length;
      row.element.classList.toggle('hollow', hollow);
      if (hollow && run?.hole.offset === hole!.offset) ++run.rows;
      else run = hollow ? { from: index, rows: 1, hole: hole! } : undefined;
      if (run && run.rows > (band?.rows ?? 0)) band = run;
      row.element.toggleAttribute('aria-busy', false);
      if (missingAt >= 0 && note === '') row.element.setAttribute('aria-busy', 'true');

      let label = '';
      for (let column = 0; column < columns; ++column) {
        const offset = base + column;
        const byte = byteAt(column);
        const inFile = column < length;
        const kind = !inFile ? 'outside' : byte < 0 ? 'absent' : classes[byte]!;
        const selected = selecting && inFile && offset >= selectFrom && offset - selectFrom < selectLength;
        let state = '';
        const changed = inFile && byte >= 0 && source!.changed(offset);
        if (changed) state += ' changed';
        if (hole && inFile && offset >= hole.offset && offset - hole.offset < hole.length) state += ' hole';
        if (selected) state += column > 0 && offset > selectFrom ? ' selected joined' : ' selected';
        if (inFile && offset === this.#cursor) state += ' cursor';
        if (offset === this.#hovered) state += ' hovered';
        if (marks.length > 0 && within(marks, offset)) state += ' marked';
        if (highlights.length > 0 && within(highlights, offset)) state += ' highlit';
        const match = matched?.[column];
        if (match) state += match === matchBegin ? ' match begin' : ' match';
        const cell = row.bytes[column]!;
        const gap = column > 0 && column % this.#group === 0 ? ' gap' : '';
        showText(cell, byte >= 0 && inFile ? hexPairs[byte]! : '');
        showClasses(cell, `byte${gap} ${kind}${state}`);
        const char = row.chars[column]!;
        const glyph = inFile ? glyphs[column]! : '';
        const printed = kind === 'high' && glyph !== highSign ? ' printed' : '';
        if (row.changed[column] !== changed) {
          row.changed[column] = changed;
          if (changed) cell.element.setAttribute('aria-description', 'changed');
          else cell.element.removeAttribute('aria-description');
        }
        showText(char, glyph);
        showClasses(char, `char ${kind}${printed}${state}`);
        label += glyph === zeroSign || glyph === controlSign || glyph === highSign ? '.' : glyph;
        if (row.selected[column] !== selected) {
          row.selected[column] = selected;
          if (selected) cell.element.setAttribute('aria-selected', 'true');
          else cell.element.removeAttribute('aria-selected');
        }
      }
      if (row.shownText !== label) {
        row.shownText = label;
        row.textCell.setAttribute('aria-label', label.trim() === '' ? 'blank' : label);
      }
    }
    this.#showCursor(cursorRow - top, needed);
    this.#showThumb(rowTotal);
    this.#showBand(band);
    if (this.#announcedRow !== this.#target.row || this.#announcedHeight !== this.#bodyHeight) {
      this.#announcedRow = this.#target.row;
      this.#announcedHeight = this.#bodyHeight;
      this.dispatchEvent(new Event('viewchange'));
    }
  }

  #showFold(row: HTMLElement, index: number, fold: Fold | undefined, current: boolean): void {
    const folding = this.#folding;
    if (!folding) return;
    if (fold) {
      row.classList.remove('hollow');
      row.removeAttribute('aria-busy');
    }
    const { offset, length } = this.selection;
    const inSelection = (span: Span): boolean =>
      this.#anchor !== undefined && offset < span.offset + span.length && span.offset < offset + length;
    folding.show(row, index, fold, { current, selected: fold !== undefined && inSelection(folding.span(fold)) });
  }

  /** For each byte of a row whether it is in a match, or begins one; undefined without any. */
  #matchedBytes(hits: readonly Span[], from: number, length: number): Uint8Array | undefined {
    const inView = hits.filter((match) => match.offset < from + length && match.offset + match.length > from);
    if (inView.length === 0) return undefined;
    const flags = new Uint8Array(length);
    for (const { offset, length: bytes } of inView)
      flags.fill(matchInside, Math.max(0, offset - from), offset - from + bytes);
    // Where one match follows another at once, this tells them apart.
    for (const { offset } of inView) if (offset >= from) flags[offset - from] = matchBegin;
    return flags;
  }

  #firstMissing(byteAt: (index: number) => number, length: number): number {
    for (let column = 0; column < length; ++column) if (byteAt(column) < 0) return column;
    return -1;
  }

  #noteFor(source: PageSource, page: number): string {
    const state = source.state(page);
    if (state.kind === 'failed') return state.message;
    const notes: Record<SourceHealth['kind'], string> = {
      ok: '',
      waiting: 'Waiting for the server',
      changed: 'Not read: the file has changed',
      gone: 'Not read: the file is gone',
    };
    return notes[source.health.kind];
  }

  #showAddress(row: Row, address: string, quads: readonly [number, number][]): void {
    if (row.shownAddress === address) return;
    row.shownAddress = address;
    const zeros = address.length - address.replace(/^0+(?=.)/, '').length;
    const parts = quads.map(([from, to]) => {
      const quad = element('span', 'quad');
      const lead = clamp(zeros - from, 0, to - from);
      if (lead > 0) {
        const faint = element('span', 'lead');
        faint.textContent = address.slice(from, from + lead);
        quad.append(faint);
      }
      quad.append(address.slice(from + lead, to));
      return quad;
    });
    row.address.replaceChildren(...parts);
    row.address.setAttribute('aria-label', address);
  }

  #showIndex(row: Row, index: number): void {
    if (row.shownIndex === index) return;
    row.shownIndex = index;
    row.element.setAttribute('aria-rowindex', String(index));
  }

  #showNote(row: Row, note: string, failed: boolean, first: boolean): void {
    const key = note === '' ? '' : `${note}|${failed}|${first}`;
    if (row.shownNote === key) return;
    row.shownNote = key;
    row.element.classList.toggle('noted', note !== '');
    row.note.hidden = note === '';
    // Said aloud once for a page, and quietly in each further row.
    row.note.classList.toggle('quiet', !failed || !first);
    row.noteText.data = note;
    // One button for a page's rows is enough, and one stop for the Tab key.
    row.retry.hidden = !failed || !first;
  }

  /** Scrolls the cursor's byte into view sideways, past the addresses that stay in place. */
  #revealColumn(index: number): void {
    const row = this.#rows[index];
    const cell = row?.bytes[this.#cursor % this.#columns]?.element;
    if (!row || !cell || this.#pane.scrollWidth <= this.#pane.clientWidth) return;
    const pane = this.#pane.getBoundingClientRect();
    const box = cell.getBoundingClientRect();
    const left = row.address.getBoundingClientRect().right;
    const right = pane.left + this.#pane.clientWidth;
    if (box.left < left) this.#pane.scrollLeft -= left - box.left;
    else if (box.right > right) this.#pane.scrollLeft += box.right - right + box.width;
  }

  #showCursor(index: number, needed: number): void {
    const column = this.#cursor % this.#columns;
    const inView = (this.#source?.size ?? 0) > 0 && index >= 0 && index < needed;
    const folded = inView && this.#layout.foldAt(this.#position.row + index) !== undefined;
    const visible = inView && !folded && this.#rows[index]!.shownNote === '';
    if (folded) this.#grid.setAttribute('aria-activedescendant', `f${index}`);
    else if (visible) this.#grid.setAttribute('aria-activedescendant', `c${index}-${column}`);
    else this.#grid.removeAttribute('aria-activedescendant');
    this.#headCells.forEach((cell, at) => cell.classList.toggle('current', at === column));
    if (this.#stepped && visible) this.#revealColumn(index);
    this.#stepped = false;
  }

  #makeBand(): void {
    const text = element('span', 'what');
    text.append(this.#bandText);
    const button = (label: string, title: string, direction: 1 | -1): HTMLElement => {
      const made = document.createElement('button');
      made.type = 'button';
      made.textContent = label;
      made.title = title;
      made.addEventListener('click', () => {
        this.focus();
        this.dispatchEvent(new CustomEvent('seekdata', { detail: direction }));
      });
      return made;
    };
    this.#band.hidden = true;
    this.#band.append(text, button('Previous data', 'Previous data (D)', -1), button('Next data', 'Next data (d)', 1));
  }

  /**
   * Rows of a hole stay rows, so that a step of the wheel is a step of rows there too, and addresses have no gaps. What a hole is
   * and where it ends is said over them, where they hide nothing.
   */
  #showBand(band: { from: number; rows: number; hole: Span } | undefined): void {
    const shown = band !== undefined && band.rows >= fewestBandRows;
    this.#band.hidden = !shown;
    if (!shown) return;
    this.#folding?.tell(band.hole);
    const { offset, length } = band.hole;
    const end = offset + length;
    const next = end < (this.#source?.size ?? 0) ? `next data at ${formatHex(end)}` : 'no data after it';
    const text = `Hole: ${formatSize(length)} without data, ${next}`;
    if (this.#shownBand !== text) {
      this.#shownBand = text;
      this.#bandText.data = text;
    }
    // Not over the cursor.
    const cursor = this.#shownRow(this.#cursor) - this.#position.row;
    let row = band.from + band.rows / 2;
    if (Math.abs(cursor + 0.5 - row) < bandRoom) {
      const below = cursor + 0.5 + bandRoom;
      row = below + bandRoom <= band.from + band.rows ? below : cursor + 0.5 - bandRoom;
    }
    const middle = (row - this.#position.fraction) * this.#rowHeight;
    const top = this.#head.offsetHeight + middle - this.#band.offsetHeight / 2;
    this.#band.style.transform = `translateY(${Math.round(top)}px)`;
  }

  #showThumb(rowTotal: number): void {
    const lastTop = this.#lastTop();
    this.#thumb = thumbAt(this.#position, rowTotal, lastTop, this.#trackLength, shortestThumb);
    this.#thumbElement.style.transform = `translateY(${this.#thumb.top}px)`;
    this.#thumbElement.style.height = `${this.#thumb.length}px`;
    this.#thumbElement.hidden = lastTop === 0;
    const inset = mapInset(this.#thumb.length, this.#trackLength, rowTotal, lastTop);
    this.style.setProperty('--map-inset', `${inset}px`);
    const percent = lastTop === 0 ? 0 : Math.round((this.#position.row / lastTop) * 100);
    this.#track.setAttribute('aria-valuenow', String(percent));
    if (this.#drag?.kind === 'thumb') {
      this.#bubble.hidden = false;
      this.#bubble.textContent = formatAddress(
        this.#layout.fileRow(this.#position.row) * this.#columns,
        addressDigits(this.#source?.size ?? 0),
      );
      const height = this.#bubble.offsetHeight;
      const wanted = this.#thumb.top + this.#thumb.length / 2 - height / 2;
      this.#bubble.style.transform = `translateY(${clamp(wanted, 0, Math.max(0, this.#trackLength - height))}px)`;
    } else {
      this.#bubble.hidden = true;
    }
  }

  /** Visible pages first, then those at the cursor or the selection's beginning for the inspector, then one ahead when its edge is less than a screen away. */
  #want(source: PageSource, top: number, rows: number): void {
    const pages: number[] = [];
    const add = (from: number, to: number): void => {
      for (let page = quotient(from, pageSize); page <= quotient(to, pageSize); ++page) {
        if (!pages.includes(page)) pages.push(page);
      }
    };
    const addRows = (from: number, to: number): void => {
      for (let row = Math.max(0, from); row < Math.min(to, this.#layout.rows); ++row) {
        const offset = this.#layout.fileRow(row) * this.#columns;
        if (!this.#layout.foldAt(row)) add(offset, Math.min(source.size, offset + this.#columns) - 1);
      }
    };
    addRows(top, top + rows);
    const { offset: inspected } = this.selection;
    add(inspected, Math.min(source.size - 1, inspected + 15));
    if (this.#travel > 0) addRows(top + rows, top + 2 * rows);
    else addRows(top - rows, top);
    source.want(pages);
  }

  // Keys

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey || !this.#source) return;
    const handled = event.ctrlKey ? this.#controlKey(event) : this.#plainKey(event);
    if (handled) {
      this.#stepped = true;
      event.preventDefault();
      event.stopPropagation();
    }
  }

  #plainKey(event: KeyboardEvent): boolean {
    const inRow = this.#cursor % this.#columns;
    switch (event.key) {
      case 'ArrowLeft':
        return this.#stepAside(-1, event.shiftKey);
      case 'ArrowRight':
        return this.#stepAside(1, event.shiftKey);
      case 'ArrowUp':
        return this.#stepRow(-1, event.shiftKey);
      case 'ArrowDown':
        return this.#stepRow(1, event.shiftKey);
      case 'Home':
        return this.#step(-inRow, event.shiftKey);
      case 'End':
        return this.#step(this.#columns - 1 - inRow, event.shiftKey);
      case 'PageUp':
        return this.#page(-1, event.shiftKey);
      case 'PageDown':
        return this.#page(1, event.shiftKey);
      case 'Enter':
        return this.#toggleFold(this.#cursor);
      case 'Escape':
        if (this.#anchor === undefined) return false;
        this.#setCursor(this.#cursor, undefined);
        return true;
      default:
        return false;
    }
  }

  #controlKey(event: KeyboardEvent): boolean {
    const last = (this.#source?.size ?? 1) - 1;
    const inGroup = (this.#cursor % this.#columns) % this.#group;
    switch (event.key) {
      case 'Home':
        return this.#step(-this.#cursor, event.shiftKey);
      case 'End':
        return this.#step(last - this.#cursor, event.shiftKey);
      case 'ArrowLeft':
        return this.#stepAside(inGroup > 0 ? -inGroup : -this.#group, event.shiftKey);
      case 'ArrowRight':
        return this.#stepAside(this.#group - inGroup, event.shiftKey);
      case 'ArrowUp':
        this.scrollByRows(-1);
        return true;
      case 'ArrowDown':
        this.scrollByRows(1);
        return true;
      case 'a':
        this.#setCursor(last, 0);
        return true;
      default:
        return false;
    }
  }

  /** The cursor goes to a byte, with `extend` the selection reaches to it. */
  #go(offset: number, extend: boolean): void {
    const cursor = this.#inFile(offset);
    const anchor = extend ? (this.#anchor ?? this.#cursor) : undefined;
    const whole = anchor === undefined ? undefined : this.#folding?.whole(cursor, anchor);
    this.#setCursor(whole?.cursor ?? cursor, whole?.anchor ?? anchor);
  }

  #step(delta: number, extend: boolean): boolean {
    if ((this.#source?.size ?? 0) === 0) return true;
    this.#go(this.#cursor + delta, extend);
    this.#moveTo(reveal(this.#shownRow(this.#cursor), this.#target.row, this.wholeRows));
    return true;
  }

  #stepAside(delta: number, extend: boolean): boolean {
    const beyond = this.#folding?.beyond(this.#cursor, delta);
    return this.#step(beyond === undefined ? delta : beyond - this.#cursor, extend);
  }

  /** Up and down keep the column: a step that would leave the file is not taken half. */
  #stepRow(direction: 1 | -1, extend: boolean): boolean {
    const size = this.#source?.size ?? 0;
    let next = this.#layout.fileRow(this.#shownRow(this.#cursor) + direction) * this.#columns + this.#column();
    if (next < 0 || next >= size) {
      // From the row before a short last one, down leads to the last byte.
      next = direction > 0 && this.#shownRow(this.#cursor) < this.#layout.rows - 1 ? size - 1 : this.#cursor;
    }
    return this.#step(next - this.#cursor, extend);
  }

  #column(): number {
    return this.#folding?.column(this.#cursor) ?? this.#cursor % this.#columns;
  }

  /** Cursor and view move by the same whole number of rows. */
  #page(direction: 1 | -1, extend: boolean): boolean {
    const size = this.#source?.size ?? 0;
    if (size === 0) return true;
    const rows = Math.max(1, this.wholeRows - 1) * direction;
    const row = clamp(this.#shownRow(this.#cursor) + rows, 0, this.#layout.rows - 1);
    const top = clamp(this.#target.row + rows, 0, this.#lastTop());
    this.#go(Math.min(size - 1, this.#layout.fileRow(row) * this.#columns + this.#column()), extend);
    this.#moveTo(reveal(this.#shownRow(this.#cursor), top, this.wholeRows));
    return true;
  }

  // Wheel

  #wheel(event: WheelEvent): void {
    if (event.ctrlKey || event.shiftKey || event.deltaY === 0 || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      return;
    event.preventDefault();
    this.#velocity = 0;
    if (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL) {
      // A mouse wheel's notch, which Chromium tells as a multiple of 120: whole rows, and a short glide.
      const notches = Math.abs(((event as { wheelDeltaY?: number }).wheelDeltaY ?? 0) / 120);
      const rows = event.deltaY / this.#rowHeight;
      if (notches >= 1 && Number.isInteger(notches)) {
        this.#glide(Math.sign(rows) * notches * Math.max(1, Math.round(Math.abs(rows) / notches)));
      } else {
        this.scrollByRows(rows);
      }
    } else {
      const page = event.deltaMode === WheelEvent.DOM_DELTA_PAGE;
      this.#glide(event.deltaY * (page ? this.wholeRows - 1 : 1));
    }
  }

  #glide(rows: number): void {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#setTarget(advance(this.#target, rows, this.#lastTop()), still);
  }

  // Pointers on the grid

  /** The byte nearest to a point of the window. */
  #byteAt(x: number, y: number): number {
    const rowIndex = Math.floor((y - this.#bodyTop) / this.#rowHeight + this.#position.fraction);
    const visible = clamp(rowIndex, 0, Math.max(0, this.#rows.length - 1));
    const left = x - this.#body.getBoundingClientRect().left;
    const nearest = (centres: readonly number[]): [number, number] =>
      centres.reduce<[number, number]>(
        (best, centre, column) => (Math.abs(centre - left) < best[1] ? [column, Math.abs(centre - left)] : best),
        [0, Infinity],
      );
    const [byteColumn, byteDistance] = nearest(this.#byteCentres);
    const [charColumn, charDistance] = nearest(this.#charCentres);
    const column = byteDistance <= charDistance ? byteColumn : charColumn;
    return this.#inFile(this.#layout.fileRow(this.#position.row + visible) * this.#columns + column);
  }

  #extendTo(x: number, y: number): void {
    this.#go(this.#byteAt(x, y), true);
  }

  #bodyDown(event: PointerEvent): void {
    if (event.button !== 0 || !this.#source || this.#drag) return;
    this.#velocity = 0;
    const { pointerId: pointer, clientX: x, clientY: y } = event;
    this.#bodyTop = this.#body.getBoundingClientRect().top;
    this.#body.setPointerCapture(pointer);
    if (event.pointerType === 'touch') {
      this.#drag = { kind: 'pan', pointer, x, y, moved: false, grab: 0 };
      this.#dragTime = event.timeStamp;
      this.#longPress = setTimeout(() => this.#holdToSelect(x, y), longPressTime);
      return;
    }
    this.#drag = { kind: 'select', pointer, x, y, moved: false, grab: 0 };
    this.#go(this.#byteAt(x, y), event.shiftKey);
    this.focus({ preventScroll: true });
    event.preventDefault();
  }

  #holdToSelect(x: number, y: number): void {
    if (this.#drag?.kind !== 'pan' || this.#drag.moved) return;
    this.#drag = { ...this.#drag, kind: 'select' };
    const offset = this.#byteAt(x, y);
    this.#setCursor(offset, offset);
  }

  #bodyMove(event: PointerEvent): void {
    const drag = this.#drag;
    if (!drag) {
      if (event.pointerType !== 'touch') this.#hover(this.#byteAt(event.clientX, event.clientY));
      return;
    }
    if (event.pointerId !== drag.pointer) return;
    const { clientX: x, clientY: y } = event;
    if (drag.kind === 'select') {
      if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < 3) return;
      this.#drag = { ...drag, x, y, moved: true };
      this.#extendTo(x, y);
      this.#invalidate();
    } else if (drag.kind === 'pan') {
      if (!drag.moved && Math.abs(y - drag.y) < tapSlop) return;
      clearTimeout(this.#longPress);
      const delta = drag.y - y;
      const elapsed = Math.max(1, event.timeStamp - this.#dragTime);
      this.#dragTime = event.timeStamp;
      this.#drag = { ...drag, y, moved: true };
      this.#setTarget(advance(this.#target, delta / this.#rowHeight, this.#lastTop()), true);
      // Smoothed over some events, since the last before letting go is often a stray one. Kept apart until then.
      this.#drag.grab = 0.6 * this.#drag.grab + 0.4 * (delta / elapsed);
    }
  }

  #bodyUp(event: PointerEvent): void {
    const drag = this.#drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    const offset = this.#byteAt(event.clientX, event.clientY);
    if (drag.kind === 'pan' && !drag.moved) {
      this.#setCursor(offset, undefined);
      this.focus({ preventScroll: true });
    }
    // A click or a tap on a fold: neither a drag nor a finger that rested there, and with Shift it selects.
    const pressed = !drag.moved && this.#anchor === undefined && !event.shiftKey;
    const fold = pressed ? this.#folding?.foldOf(offset) : undefined;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const flung = drag.kind === 'pan' && drag.moved && event.timeStamp - this.#dragTime < 60 && !still;
    this.#endDrag();
    if (flung && Math.abs(drag.grab) > 0.1) {
      this.#velocity = drag.grab;
      this.#invalidate();
    }
    if (fold) this.#toggleFold(offset);
  }

  #hover(offset: number): void {
    if (offset === this.#hovered) return;
    this.#hovered = offset;
    this.#invalidate();
  }

  #endDrag(): void {
    clearTimeout(this.#longPress);
    this.#drag = undefined;
    this.#noteHoles();
    this.#track.classList.remove('dragged');
    this.#invalidate();
  }

  // Scrollbar

  #trackDown(event: PointerEvent): void {
    if (event.button !== 0 || !this.#source) return;
    event.preventDefault();
    this.#velocity = 0;
    const y = event.clientY - this.#track.getBoundingClientRect().top;
    const onThumb = y >= this.#thumb.top && y <= this.#thumb.top + this.#thumb.length;
    const grab = onThumb ? y - this.#thumb.top : this.#thumb.length / 2;
    this.#track.setPointerCapture(event.pointerId);
    this.#track.classList.add('dragged');
    this.#drag = { kind: 'thumb', pointer: event.pointerId, x: 0, y, moved: false, grab };
    if (onThumb) this.#invalidate();
    else this.#dragThumb(y);
  }

  #trackMove(event: PointerEvent): void {
    const drag = this.#drag;
    if (drag?.kind !== 'thumb' || event.pointerId !== drag.pointer) return;
    const y = event.clientY - this.#track.getBoundingClientRect().top;
    if (event.shiftKey) {
      // Fine: a row for each pixel. The grip slips along, so that letting go of Shift jumps nowhere.
      this.#setTarget(advance(this.#target, y - drag.y, this.#lastTop()), true);
      const thumb = thumbAt(this.#target, this.#layout.rows, this.#lastTop(), this.#trackLength, shortestThumb);
      this.#drag = { ...drag, y, grab: y - thumb.top };
    } else {
      this.#drag = { ...drag, y };
      this.#dragThumb(y);
    }
  }

  #dragThumb(y: number): void {
    const travel = this.#trackLength - this.#thumb.length;
    const row = rowAtThumb(y - this.#drag!.grab, travel, this.#lastTop());
    this.#setTarget({ row, fraction: 0 }, true);
  }
}

/** Registers the element once, under its name. */
export function defineHexView(): void {
  if (!customElements.get('hex-view')) customElements.define('hex-view', HexView);
}
