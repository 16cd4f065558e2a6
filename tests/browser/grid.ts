/** The grid as a person sees it: rows of addresses, bytes and text. */

import type { HexView } from '../../server/web/src/hex_view/hex_view';
import type { SparseFile } from './files';
import { expect, type Locator, type Page } from './fixtures';

export interface ShownRow {
  readonly address: number;
  /** -1 where no byte is shown. */
  readonly bytes: number[];
  readonly text: string;
  readonly note: string;
  /** What the row says of the hole that it stands for; such a row has no bytes of its own. */
  readonly fold: string;
}

export class Grid {
  readonly view: Locator;
  readonly element: Locator;

  constructor(readonly page: Page) {
    this.view = page.locator('hex-view');
    this.element = page.getByRole('grid', { name: 'Bytes' });
  }

  async open(path: string, fragment = ''): Promise<void> {
    await this.page.goto(`/view/${path}${fragment}`);
    await expect(this.element).toBeVisible();
    await this.loaded();
  }

  /** The rows whose boxes lie in the visible part, whole or in part. */
  rows(): Promise<ShownRow[]> {
    return this.view.evaluate((view) => {
      const root = view.shadowRoot!;
      const body = root.querySelector('.body')!.getBoundingClientRect();
      // What is hidden in the row of a fold is of the row that it was before.
      const inFile = (cell: Element): boolean =>
        !cell.classList.contains('outside') && cell.closest('.folded') === null;
      return [...root.querySelectorAll<HTMLElement>('.row')]
        .filter((row) => {
          const box = row.getBoundingClientRect();
          return !row.hidden && box.bottom > body.top + 0.5 && box.top < body.bottom - 0.5;
        })
        .map((row) => ({
          address: parseInt(row.querySelector('[role=rowheader]')!.textContent, 16),
          bytes: [...row.querySelectorAll('.byte')]
            .filter(inFile)
            .map((cell) => (cell.textContent === '' ? -1 : parseInt(cell.textContent, 16))),
          text: [...row.querySelectorAll('.char')]
            .filter(inFile)
            .map((cell) => cell.textContent)
            .join(''),
          note: row.querySelector<HTMLElement>('.note')!.hidden ? '' : row.querySelector('.note span')!.textContent,
          fold: row.matches('.folded') ? row.querySelector('.fold')!.textContent : '',
        }));
    });
  }

  /** Waits until every visible byte is there, and gives the rows. */
  async loaded(): Promise<ShownRow[]> {
    await this.frame();
    let rows: ShownRow[] = [];
    await expect
      .poll(
        async () => {
          rows = await this.rows();
          return rows.length > 0 && rows.every((row) => row.bytes.every((byte) => byte >= 0));
        },
        { message: 'every visible byte is loaded' },
      )
      .toBe(true);
    return rows;
  }

  /** Waits until all is loaded, then compares every visible byte with the file. Gives the first address. */
  async expectBytesOf(file: SparseFile): Promise<number> {
    const rows = await this.loaded();
    for (const { address, bytes } of rows)
      expect(bytes, `row 0x${address.toString(16)}`).toEqual(file.bytes(address, bytes.length));
    for (let at = 1; at < rows.length; ++at)
      expect(rows[at]!.address).toBe(rows[at - 1]!.address + rows[0]!.bytes.length);
    return rows[0]!.address;
  }

  get<K extends keyof HexView>(property: K): Promise<HexView[K]> {
    return this.view.evaluate((view, name) => (view as unknown as Record<string, unknown>)[name], property) as Promise<
      HexView[K]
    >;
  }

  /** Resolves when the next frame has been drawn. */
  frame(): Promise<void> {
    return this.page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
    );
  }

  async goto(expression: string): Promise<void> {
    await this.element.focus();
    await this.page.keyboard.press('g');
    const field = this.page.getByRole('textbox', { name: 'Go to offset' });
    await expect(field).toBeFocused();
    await field.fill(expression);
    await field.press('Enter');
    await expect(this.element).toBeFocused();
  }

  async wheel(notches: number): Promise<void> {
    const box = (await this.element.boundingBox())!;
    await this.page.mouse.move(box.x + 200, box.y + 200);
    // One event for each notch, as a mouse does it.
    for (let notch = 0; notch < Math.abs(notches); ++notch) {
      await this.page.mouse.wheel(0, 120 * Math.sign(notches));
      await this.frame();
    }
  }

  cell(index: number, column: number): Locator {
    return this.view.locator(`#c${index}-${column}`);
  }
}
