/** Selecting, copying in every format, and downloading what is too large to copy. */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HexView } from '../../server/web/src/hex_view/hex_view';
import { contents, pageSize, SparseFile, writeFile } from './files';
import { expect, type Page, test } from './fixtures';
import { Grid } from './grid';

const mebibyte = 1024 * 1024;

const clipboard = (page: Page): Promise<string> => page.evaluate(() => navigator.clipboard.readText());

async function copyAs(page: Page, label: string): Promise<string> {
  await page.evaluate(() => navigator.clipboard.writeText('nothing was copied'));
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByRole('menu', { name: 'Copy as' }).getByRole('menuitem', { name: label, exact: false }).click();
  await expect.poll(() => clipboard(page)).not.toBe('nothing was copied');
  return clipboard(page);
}

/** What each format means, read back without the viewer's code. */
const readers: Record<string, (text: string) => number[]> = {
  Hex: (text) => text.split(' ').map((pair) => parseInt(pair, 16)),
  Base64: (text) => [...Buffer.from(text, 'base64')],
  'C array': (text) => {
    const [, count, body] = /^const unsigned char data\[(\d+)\] = \{\n((?:.|\n)*)\};\n$/.exec(text)!;
    const bytes = [...body!.matchAll(/0x([0-9a-f]{2}),/g)].map((match) => parseInt(match[1]!, 16));
    expect(bytes).toHaveLength(Number(count));
    return bytes;
  },
  'Python bytes': (text) => {
    const literals = [...text.matchAll(/b"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!).join('');
    return [...literals.matchAll(/\\x([0-9a-f]{2})|\\(.)|(.)/g)].map(([, hex, escaped, plain]) =>
      hex === undefined ? (escaped ?? plain)!.charCodeAt(0) : parseInt(hex, 16),
    );
  },
  'JSON array': (text) => JSON.parse(text) as number[],
};

test('each format gives the selected bytes, over a page edge and at the end of the file', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  const spans: [number, number][] = [
    [2 ** 32 + pageSize - 21, 43],
    [2 ** 40 - 1, 2],
    [file.size - 7, 7],
    [2 ** 36 - 5, 1],
  ];
  for (const [offset, length] of spans) {
    await grid.goto(`0x${offset.toString(16)}`);
    for (let step = 1; step < length; ++step) await page.keyboard.press('Shift+ArrowRight');
    expect(await grid.get('selection')).toEqual({ offset, length });
    if (length > 1) await expect(page.locator('[data-status=selection]')).toContainText(`${length} bytes`);
    for (const [label, read] of Object.entries(readers))
      expect(read(await copyAs(page, label)), `${label} at ${offset}`).toEqual(file.bytes(offset, length));
    // The last format again, by the keys alone.
    await page.evaluate(() => navigator.clipboard.writeText('nothing was copied'));
    await grid.element.focus();
    await page.keyboard.press('Control+c');
    await expect.poll(async () => (await clipboard(page))[0]).toBe('[');
  }
});

test('text is copied in the encoding that is shown', async ({ folder, page }) => {
  writeFileSync(join(folder, 'text'), Buffer.from('“naïve” – 1 €\nnext line'));
  const grid = new Grid(page);
  await grid.open('text');
  await page.keyboard.press('Control+a');
  await page.getByLabel('Text', { exact: true }).selectOption('utf-8');
  expect(await copyAs(page, 'Text')).toBe('“naïve” – 1 €\nnext line');
  await page.getByLabel('Text', { exact: true }).selectOption('latin-1');
  // Control characters other than a line's end would do things where they are pasted.
  const latin = Buffer.from('“naïve” – 1 €\nnext line').toString('latin1');
  expect(await copyAs(page, 'Text')).toBe(latin.replace(/[\x80-\x9f]/g, '.'));
});

test('a selection of many pages is read and copied whole, and leaves the page cache as it was', async ({
  folder,
  page,
}) => {
  const length = 3 * mebibyte + 77;
  writeFile(join(folder, 'dense.bin'), 5 * mebibyte);
  const grid = new Grid(page);
  await grid.open('dense.bin', `#offset=0x1234&select=0x1234+${length}`);
  const cached = await grid.view.evaluate((view) => (view as HexView).source!.cachedBytes);
  // It is said for a few seconds, which reading the clipboard back may take: so it is watched for in the page.
  const told = page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const observer = new MutationObserver(() => {
          const said = [...document.querySelectorAll('[role="status"], output')].map((status) => status.textContent);
          const copied = said.find((text) => text.includes('Copied'));
          if (copied === undefined) return;
          observer.disconnect();
          resolve(copied);
        });
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
      }),
  );
  const text = await copyAs(page, 'Base64');
  expect(await told).toMatch(/Copied 3\s145\s805 bytes/);
  expect(Buffer.from(text, 'base64').equals(contents(0x1234, length))).toBe(true);
  const after = await grid.view.evaluate((view) => (view as HexView).source!.cachedBytes);
  expect(after).toBe(cached);
});

for (const width of [1280, 390]) {
  test(`what is told of a copy hides nothing of the menu, ${width} pixels wide`, async ({ folder, page }) => {
    await page.setViewportSize({ width, height: 800 });
    writeFile(join(folder, 'file'), 1000);
    const grid = new Grid(page);
    await grid.open('file', '#offset=0x10');
    await page.keyboard.press('Control+c');
    const told = page.getByRole('status').filter({ hasText: /^Copied/ });
    await expect(told).toBeVisible();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    const menu = page.getByRole('menu');
    await expect(menu).toBeVisible();
    // It is told for seconds; what it is drawn over is seen at once.
    const [news, list] = await Promise.all([told.boundingBox(), menu.boundingBox()]);
    expect(news!.y).toBeGreaterThanOrEqual(list!.y + list!.height);
    await expect(menu).toBeInViewport({ ratio: 1 });
    await page.getByRole('menuitem', { name: 'Hex' }).first().click();
    await expect(told).toBeVisible();
  });
}

test('above 16 MiB there is a download of exactly those bytes', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const length = 16 * mebibyte + 1;
  const offset = 2 ** 40 - 8 * mebibyte - 3;
  const grid = new Grid(page);
  await grid.open('disk.img', `#select=0x${offset.toString(16)}+${length}`);
  // Ctrl+C opens the menu, where the formats are told to be too small for it.
  await page.keyboard.press('Control+c');
  const menu = page.getByRole('menu', { name: 'Copy as' });
  await expect(menu.getByRole('menuitem', { name: 'Hex' })).toBeDisabled();
  await expect(page.getByText('More than 16 MiB is downloaded instead.')).toBeVisible();
  const link = menu.getByRole('menuitem', { name: 'Download the bytes' });
  await expect(link).toBeFocused();
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  expect(download.suggestedFilename()).toBe(`disk.img-0x${offset.toString(16)}-${length}.bin`);
  const path = await download.path();
  expect(statSync(path).size).toBe(length);
  const bytes = readFileSync(path);
  const expected = Buffer.alloc(length);
  const island = 2 ** 40 - 3 * pageSize;
  contents(island, 6 * pageSize).copy(expected, island - offset);
  expect(bytes.equals(expected)).toBe(true);
  expect(file.byteAt(island)).toBe(expected[island - offset]);
  // The view stayed where it was.
  expect(await grid.get('selection')).toEqual({ offset, length });
  await expect(page).toHaveTitle('disk.img – ranged');
});

test('16 MiB and one byte less are still copied', async ({ folder, page }) => {
  new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img', `#select=0x100+${16 * mebibyte}`);
  await page.keyboard.press('c');
  await expect(page.getByRole('menuitem', { name: 'Hex' })).toBeEnabled();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('menu')).toBeHidden();
});

test('the mouse selects: by dragging, by Shift and a click, and past the edge of the view', async ({
  folder,
  page,
}) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto('2^36');
  await grid.loaded();
  const top = await grid.get('top');
  const middle = async (index: number, column: number): Promise<[number, number]> => {
    const box = (await grid.cell(index, column).boundingBox())!;
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  await page.mouse.move(...(await middle(2, 3)));
  await page.mouse.down();
  await page.mouse.move(...(await middle(5, 9)), { steps: 4 });
  await page.mouse.up();
  expect(await grid.get('selection')).toEqual({ offset: top + 2 * 16 + 3, length: 3 * 16 + 7 });
  await grid.frame();
  await expect(grid.view.locator('.byte.selected')).toHaveCount(55);
  await expect(grid.cell(3, 0)).toHaveAttribute('aria-selected', 'true');

  // A click on the text column means the same byte; Shift keeps where the selection began.
  const char = (await grid.view.locator('.row').nth(8).locator('.char').nth(4).boundingBox())!;
  await page.keyboard.down('Shift');
  await page.mouse.click(char.x + char.width / 2, char.y + char.height / 2);
  await page.keyboard.up('Shift');
  expect(await grid.get('selection')).toEqual({ offset: top + 2 * 16 + 3, length: 6 * 16 + 2 });

  // Held below the edge, the file comes along, for as long as it is held.
  const body = (await grid.view.locator('.body').boundingBox())!;
  await page.mouse.move(...(await middle(1, 0)));
  await page.mouse.down();
  await page.mouse.move(body.x + 200, body.y + body.height + 20, { steps: 4 });
  await expect.poll(() => grid.get('top')).toBeGreaterThan(top + 5 * 16);
  await page.mouse.up();
  const selection = await grid.get('selection');
  expect(selection.offset).toBe(top + 16);
  expect(selection.length).toBeGreaterThan(16 * ((await grid.get('wholeRows')) + 3));
  await grid.expectBytesOf(file);

  await page.keyboard.press('Escape');
  expect((await grid.get('selection')).length).toBe(1);
});

test('the keys select: rows, screens, to the ends, everything', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto('2^40+4');
  const rows = await grid.get('wholeRows');
  await page.keyboard.press('Shift+ArrowDown');
  expect(await grid.get('selection')).toEqual({ offset: 2 ** 40 + 4, length: 17 });
  await page.keyboard.press('Shift+End');
  expect(await grid.get('selection')).toEqual({ offset: 2 ** 40 + 4, length: 28 });
  await page.keyboard.press('Shift+PageUp');
  const length = (rows - 2) * 16 - 11 + 1;
  expect(await grid.get('selection')).toEqual({ offset: 2 ** 40 + 4 - length + 1, length });
  await page.keyboard.press('Control+Shift+End');
  expect(await grid.get('selection')).toEqual({ offset: 2 ** 40 + 4, length: file.size - 2 ** 40 - 4 });
  await page.keyboard.press('Control+Shift+Home');
  expect(await grid.get('selection')).toEqual({ offset: 0, length: 2 ** 40 + 5 });
  await page.keyboard.press('Control+a');
  expect(await grid.get('selection')).toEqual({ offset: 0, length: file.size });
  await expect(page.locator('[data-status=selection]')).toContainText(
    `${String(file.size).replace(/\B(?=(\d{3})+$)/g, '\u202f')} bytes`,
  );
});
