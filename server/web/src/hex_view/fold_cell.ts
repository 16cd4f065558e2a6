/** The one cell of a row that stands for a folded hole. */

import { formatHex, formatSize } from '../core/format';
import type { Span } from '../core/view_link';

export interface FoldState {
  readonly current: boolean;
  readonly selected: boolean;
}

export class FoldCell {
  readonly element = document.createElement('span');
  readonly #text = document.createTextNode('');
  #shown = '';

  /** `row` gets it as its last cell; `index` is the row's among those on screen. */
  constructor(row: HTMLElement, index: number) {
    const { element } = this;
    element.className = 'fold';
    element.id = `f${index}`;
    element.setAttribute('role', 'gridcell');
    element.setAttribute('aria-colindex', '2');
    element.setAttribute('aria-expanded', 'false');
    const hint = document.createElement('span');
    hint.className = 'hint';
    hint.textContent = ' · Enter unfolds';
    element.append(this.#text, hint);
    row.append(element);
  }

  /** Says what is folded; the zeros are those of `span`. */
  show({ offset, length }: Span, columns: number, { current, selected }: FoldState): void {
    const key = `${offset} ${length} ${columns} ${current} ${selected}`;
    if (this.#shown === key) return;
    this.#shown = key;
    const { element } = this;
    const [first, last] = [formatHex(offset), formatHex(offset + length - 1)];
    this.#text.data = `Hole · ${formatSize(length)} of zeros · ${first} – ${last}`;
    element.setAttribute('aria-colspan', String(columns + 1));
    element.classList.toggle('cursor', current);
    element.classList.toggle('selected', selected);
    if (selected) element.setAttribute('aria-selected', 'true');
    else element.removeAttribute('aria-selected');
  }
}
