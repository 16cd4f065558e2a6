/** Holes folded into a row each: what is shown, how one moves over it, and that every byte stays what and where it is. */

import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { violations } from './axe';
import { byteOf, contents, overwrite, pageSize, SparseFile } from './files';
import { expect, type Locator, networkErrors, type Page, test } from './fixtures';
import { Grid, type ShownRow } from './grid';
import { inkedRows, mapped } from './map';

/** The first hole of a SparseFile. */
const hole = { from: 3 * pageSize, to: 2 ** 31 - 3 * pageSize };
const width = 16;

const foldRows = (page: Page): Locator => page.getByRole('row', { name: /Hole · .* of zeros/ });
const option = (page: Page): Locator => page.getByRole('checkbox', { name: 'Fold holes' });
const holeRow = (from: number, to: number, size: string): string =>
  `Hole · ${size} of zeros · 0x${from.toString(16)} – 0x${(to - 1).toString(16)} · Enter unfolds`;

/** A small file of two islands, each of a page, between holes. */
const small = { size: 64 * pageSize, islands: [2 * pageSize, 40 * pageSize] } as const;

function smallFile(path: string): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, small.size);
  closeSync(file);
  for (const at of small.islands) overwrite(path, contents(at, pageSize), at);
}

/** The row, among those shown with all holes folded, that a row of a SparseFile is. */
function shownRow(file: SparseFile, address: number): number {
  let shown = 0;
  for (const [from, to] of file.islands) {
    if (address < from) return shown;
    if (address < to) return shown + (from > 0 ? 1 : 0) + (address - from) / width;
    shown += (from > 0 ? 1 : 0) + (to - from) / width;
  }
  return shown;
}

/** Every visible row is right: bytes as in the file, a fold where only zeros are, and no row left out between them. */
async function expectRowsOf(grid: Grid, file: SparseFile): Promise<ShownRow[]> {
  const rows = await grid.loaded();
  rows.forEach(({ address, bytes, fold }, at) => {
    const next = rows[at + 1]?.address;
    if (fold === '') {
      expect(bytes, `row 0x${address.toString(16)}`).toEqual(file.bytes(address, width));
      if (next !== undefined) expect(next).toBe(address + width);
    } else {
      const [, from, last] = /· 0x([0-9a-f]+) – 0x([0-9a-f]+) ·/.exec(fold)!;
      expect(parseInt(from!, 16)).toBe(address);
      if (next !== undefined) expect(next).toBe(parseInt(last!, 16) + 1);
      expect(file.islands.every(([begin, end]) => end <= address || begin > parseInt(last!, 16))).toBe(true);
    }
  });
  return rows;
}

test.describe('of a sparse file of 16 TiB', () => {
  test('h folds every long hole into a row, and h again shows their rows', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img', '#offset=0x2fff0&top=0x2ff60');
    await expect(foldRows(page)).toHaveCount(0);
    await expect(option(page)).not.toBeChecked();
    await page.keyboard.press('h');
    await expect(foldRows(page)).toHaveCount(1);
    await expect(option(page)).toBeChecked();
    const rows = await expectRowsOf(grid, file);
    // What was above it stays where it was.
    expect(rows[0]!.address).toBe(0x2ff60);
    expect(rows[10]!.fold).toBe(holeRow(hole.from, hole.to, '1.99 GiB'));
    expect(rows[11]!.address).toBe(hole.to);
    await expect(page).toHaveURL(/[&#]holes=folded(&|$)/);

    await page.keyboard.press('h');
    await expect(foldRows(page)).toHaveCount(0);
    await expect(option(page)).not.toBeChecked();
    const plain = await grid.loaded();
    plain.forEach(({ address }, at) => expect(address).toBe(0x2ff60 + at * width));
    await expect(page).not.toHaveURL(/holes=/);
  });

  test('the option folds at every offset where viewers broke', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    await option(page).check();
    for (const [from, to] of file.islands) {
      await grid.goto(`0x${from.toString(16)}`);
      await grid.element.focus();
      // Up from an island's first row is the fold above it, down from its last the fold below.
      if (from > 0) {
        await page.keyboard.press('ArrowUp');
        await expect(foldRows(page).first()).toHaveClass(/current/);
        await expectRowsOf(grid, file);
        await page.keyboard.press('ArrowDown');
        expect(await grid.get('cursor')).toBe(from);
      }
      await grid.goto(`0x${(to - 1).toString(16)}`);
      await expectRowsOf(grid, file);
    }
    // The end of the file is the end of what is shown.
    await page.keyboard.press('Control+End');
    expect(await grid.get('cursor')).toBe(file.size - 1);
    expect((await expectRowsOf(grid, file)).at(-1)!.address).toBe(file.size - width);
    expect(await grid.get('atEnd')).toBe(true);
    await page.keyboard.press('Control+Home');
    expect(await grid.get('cursor')).toBe(0);
    await expect(grid.element).toHaveAttribute('aria-rowcount', String(shownRow(file, file.size) + 1));
  });

  test('a step of the wheel and a page are as many shown rows anywhere', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img', '#holes=folded');
    const place = async (): Promise<number> => shownRow(file, await grid.get('top'));
    await grid.wheel(1);
    const step = await place();
    expect(step).toBeGreaterThan(0);
    const whole = await grid.get('wholeRows');
    for (const [from] of file.islands.slice(1)) {
      await grid.goto(`0x${(from + 2 * step * width).toString(16)}`);
      // Over the fold above the island, and back.
      await page.keyboard.press('PageUp');
      await page.keyboard.press('PageUp');
      const top = await place();
      expect(await grid.get('top')).toBeLessThan(from);
      for (let turn = 1; turn <= 4; ++turn) {
        await grid.wheel(1);
        expect(await place()).toBe(top + turn * step);
        await expectRowsOf(grid, file);
      }
      await grid.wheel(-4);
      expect(await place()).toBe(top);
      await page.keyboard.press('PageDown');
      expect(await place()).toBe(top + whole - 1);
      await expectRowsOf(grid, file);
    }
  });

  test('scrollbar and map are of what is shown', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    await expect.poll(async () => (await inkedRows(page)).length).toBeGreaterThan(0);
    const before = (await inkedRows(page)).length;
    await page.keyboard.press('h');
    // Almost all of the track is data now.
    await expect.poll(async () => (await inkedRows(page)).length).toBeGreaterThan(10 * before);

    const total = shownRow(file, file.size);
    const box = (await grid.view.locator('.track').boundingBox())!;
    const thumb = (await grid.view.locator('.thumb').boundingBox())!;
    const x = box.x + box.width / 2;
    const grip = thumb.height / 2;
    await page.mouse.move(x, thumb.y + grip);
    await page.mouse.down();
    for (const part of [0.2, 0.5, 0.8]) {
      await page.mouse.move(x, box.y + grip + part * (box.height - thumb.height));
      await grid.frame();
      expect(Math.abs(shownRow(file, await grid.get('top')) / total - part)).toBeLessThan(0.01);
      await expectRowsOf(grid, file);
    }
    await page.mouse.move(x, box.y + box.height + 50);
    await page.mouse.up();
    await grid.frame();
    expect((await expectRowsOf(grid, file)).at(-1)!.address).toBe(file.size - width);

    // A click on the map leads to the data that is drawn there.
    const map = (await page.locator('[slot=map] canvas').boundingBox())!;
    await page.mouse.click(map.x + 8, map.y + map.height * 0.5);
    await grid.frame();
    expect(Math.abs(shownRow(file, await grid.get('top')) / total - 0.5)).toBeLessThan(0.03);
    // What is told of a place is of its bytes, of which none is zero, and not of the hole around them.
    await mapped(page);
    await page.mouse.move(map.x + 8, map.y + map.height * 0.33);
    await expect(page.locator('[slot=map] .bubble')).toContainText(/entropy (7\.9|8\.0)/);
    await expect(page.locator('[slot=map] .bubble')).not.toContainText(/Zero|hole/);
  });

  test('what is gone to in a hole unfolds that hole alone; Enter folds it again', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img', '#holes=folded');
    await grid.goto('2^40 + 2^39');
    expect(await grid.get('cursor')).toBe(2 ** 40 + 2 ** 39);
    const rows = await grid.loaded();
    expect(rows.some(({ address }) => address === 2 ** 40 + 2 ** 39)).toBe(true);
    for (const { address, bytes } of rows) expect(bytes).toEqual(file.bytes(address, width));
    await expect(foldRows(page)).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Fold', exact: true })).toBeVisible();
    await page.keyboard.press('Enter');
    await expect(foldRows(page)).toHaveCount(1);
    await expect(foldRows(page)).toHaveClass(/current/);
    await expectRowsOf(grid, file);
    // It is the one row: the next one is beyond the hole.
    await page.keyboard.press('ArrowDown');
    expect(await grid.get('cursor')).toBe(file.size - 3 * pageSize);
    await grid.goto('2^33');
    await expect(foldRows(page)).toHaveCount(0);
    // The next data is found from within.
    await page.keyboard.press('d');
    await expect.poll(() => grid.get('cursor')).toBe(2 ** 35 - 3 * pageSize);
    await grid.loaded();
  });

  test('as extents come late, what is looked at stays in its place', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    const top = (address: number): Promise<number> =>
      grid.view.evaluate(
        (view, wanted) =>
          [...view.shadowRoot!.querySelectorAll<HTMLElement>('.row')]
            .find(({ hidden, children }) => !hidden && parseInt(children[0]!.textContent, 16) === wanted)!
            .getBoundingClientRect().top,
        address,
      );
    const extents = { release: (): void => undefined };
    await page.route(/\/extents\?/, async (route) => {
      await new Promise<void>((resolve) => (extents.release = resolve));
      await route.continue();
    });
    for (const [fragment, still] of [
      // The cursor's row, with a hole below it and with one above.
      ['#offset=0x2ffc0&top=0x2ff60', 0x2ffc0],
      [`#offset=0x${(hole.to + 32).toString(16)}&top=0x${(hole.to - 160).toString(16)}`, hole.to + 32],
      // Without the cursor the first row that is not in a hole.
      [`#offset=0&top=0x${(hole.to - 160).toString(16)}`, hole.to],
    ] as const) {
      const asked = page.waitForRequest(/\/extents\?/);
      await page.goto('about:blank');
      await grid.open('disk.img', `${fragment}&holes=folded`);
      await asked;
      const before = await top(still);
      expect((await grid.rows()).every(({ fold }) => fold === '')).toBe(true);
      extents.release();
      await expect(foldRows(page)).toHaveCount(1);
      expect(await top(still)).toBe(before);
      await expectRowsOf(grid, file);
      expect(await top(still)).toBe(before);
    }
  });

  test('nor is a scrollbar moved away while it is dragged', async ({ folder, page }) => {
    new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await page.route(/\/extents\?/, async (route) => {
      await released;
      await route.continue();
    });
    const asked = page.waitForRequest(/\/extents\?/);
    await grid.open('disk.img', '#holes=folded');
    await asked;
    const box = (await grid.view.locator('.track').boundingBox())!;
    await page.mouse.move(box.x + 5, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + 5, box.y + box.height / 2 + 20);
    await grid.loaded();
    const top = await grid.get('top');
    release();
    // The holes are known: their rows look like it.
    await expect(grid.view.locator('.row.hollow').first()).toBeVisible();
    expect(await grid.get('top')).toBe(top);
    await expect(foldRows(page)).toHaveCount(0);
    await page.mouse.up();
    await expect(foldRows(page)).toHaveCount(1);
  });

  test('the address restores what is folded and what is not', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    // A link into a hole shows the place.
    await grid.open('disk.img', '#offset=0x200000000&holes=folded');
    await expect(option(page)).toBeChecked();
    await expect(page).toHaveURL(/unfolded=0x200000000/);
    expect((await grid.loaded()).every(({ fold }) => fold === '')).toBe(true);
    // The others are folded.
    await grid.goto('0x2fff0');
    await expect(foldRows(page)).toHaveCount(1);
    await page.keyboard.press('ArrowDown');
    await expect(foldRows(page)).toHaveClass(/current/);
    await expect(page).toHaveURL(/offset=0x30000&/);
    const before = await grid.rows();
    await page.reload();
    await expect(foldRows(page)).toHaveCount(1);
    await expect(foldRows(page)).toHaveClass(/current/);
    await expectRowsOf(grid, file);
    expect(await grid.rows()).toEqual(before);
    await grid.goto('0x200000010');
    await expect(foldRows(page)).toHaveCount(0);
    await page.keyboard.press('[');
    await expect(foldRows(page)).toHaveCount(1);
    expect(await grid.get('cursor')).toBe(hole.from);

    // Without a place in it, the hole that a file begins with is folded.
    smallFile(join(folder, 'small'));
    await grid.open('small', '#holes=folded');
    await expect(foldRows(page)).toHaveCount(1);
    await expect(page).toHaveURL(/unfolded=none/);
    await page.reload();
    await expect(foldRows(page)).toHaveCount(1);
  });
});

test('a click unfolds a hole in its place, and its band folds it', async ({ folder, page }) => {
  smallFile(join(folder, 'small'));
  const grid = new Grid(page);
  await grid.open('small', '#offset=0x2fff0&top=0x2ffb0&holes=folded');
  const fold = foldRows(page);
  await expect(fold).toHaveCount(1);
  const rows = await grid.rows();
  const place = rows.findIndex((row) => row.fold !== '');
  expect(rows[place]!.fold).toBe(holeRow(3 * pageSize, 40 * pageSize, '2.31 MiB'));
  await fold.click();
  await expect(fold).toHaveCount(0);
  await expect(grid.element).toBeFocused();
  const shown = await grid.loaded();
  shown.forEach(({ address }, at) => expect(address).toBe(0x2ffb0 + at * width));
  // The first row of the hole is where its fold was.
  expect(shown[place]!.address).toBe(3 * pageSize);
  expect(await grid.get('cursor')).toBeGreaterThanOrEqual(3 * pageSize);
  expect(await grid.get('cursor')).toBeLessThan(3 * pageSize + width);

  await page.getByRole('button', { name: 'Fold', exact: true }).click();
  await expect(fold).toHaveCount(1);
  await expect(grid.element).toBeFocused();
  expect(await grid.rows()).toEqual(rows);

  // By keys: Enter on the fold, and Enter anywhere in the hole.
  await page.keyboard.press('Enter');
  await expect(fold).toHaveCount(0);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(fold).toHaveCount(1);
  // Where there is no hole, it does nothing.
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await expect(fold).toHaveCount(1);
});

test('a match in a folded hole is shown', async ({ folder, page }) => {
  smallFile(join(folder, 'small'));
  const grid = new Grid(page);
  await grid.open('small', '#offset=0x2fff0&holes=folded');
  await expect(foldRows(page)).toHaveCount(1);
  await page.keyboard.press('/');
  const at = small.islands[1] - 4;
  await page.keyboard.type(
    `00 00 00 00 ${contents(at + 4, 4)
      .toString('hex')
      .replace(/../g, '$& ')
      .trim()}`,
  );
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'Found at' })).toBeVisible();
  expect(await grid.get('selection')).toEqual({ offset: at, length: 8 });
  const rows = await grid.loaded();
  expect(rows.find(({ address }) => address === at - (at % width))!.bytes.slice(-4)).toEqual([0, 0, 0, 0]);
  await expect(grid.view.locator('.byte.match')).toHaveCount(8);
});

test('matches on both sides of a fold are marked, and nothing of the hole is asked for', async ({ folder, page }) => {
  smallFile(join(folder, 'small'));
  const asked: { offset: number; length: number }[] = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === '/search')
      asked.push({ offset: Number(searchParams.get('offset')), length: Number(searchParams.get('len')) });
  });
  const grid = new Grid(page);
  const last = byteOf(3 * pageSize - 1);
  const sought = last.toString(16).padStart(2, '0');
  // As in a link: what is in view is marked, and the file not searched.
  await grid.open('small', `#offset=0x2fff0&top=0x2fff0&holes=folded&search=hex:${sought}`);
  await expect(foldRows(page)).toHaveCount(1);
  const rows = await grid.loaded();
  const wanted = rows.flatMap(({ bytes }) => bytes).filter((byte) => byte === last).length;
  expect(rows.filter(({ address }) => address > 3 * pageSize).length).toBeGreaterThan(10);
  await expect(grid.view.locator('.row:not(.folded) .byte.match')).toHaveCount(wanted);
  for (const { length } of asked) expect(length).toBeLessThan(pageSize);
});

test('a selection over a fold is of the real bytes', async ({ folder, page }) => {
  smallFile(join(folder, 'small'));
  const grid = new Grid(page);
  await grid.open('small', '#offset=0x2fff3&top=0x2ff60&holes=folded');
  const fold = foldRows(page);
  await expect(fold).toHaveCount(1);
  const [from, to] = [3 * pageSize, 40 * pageSize];
  await page.keyboard.press('Shift+ArrowDown');
  // On the fold: all of its bytes.
  expect(await grid.get('selection')).toEqual({ offset: 0x2fff3, length: to - 0x2fff3 });
  await expect(fold.getByRole('gridcell')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Shift+ArrowDown');
  // Beyond it, in the column where it began.
  expect(await grid.get('selection')).toEqual({ offset: 0x2fff3, length: to + 3 - 0x2fff3 + 1 });
  await expect(page.locator('[data-status=selection]')).toContainText('0x2fff3–0x280003');
  await page.keyboard.press('Shift+ArrowUp');
  await page.keyboard.press('Shift+ArrowUp');
  expect(await grid.get('selection')).toEqual({ offset: 0x2fff3, length: 1 });

  // From below, and by the side.
  await grid.goto(`0x${to.toString(16)}`);
  await page.keyboard.press('Shift+ArrowLeft');
  expect(await grid.get('selection')).toEqual({ offset: from, length: to - from + 1 });
  await page.keyboard.press('Shift+ArrowLeft');
  expect(await grid.get('selection')).toEqual({ offset: from - 1, length: to - from + 2 });
  await page.keyboard.press('ArrowRight');
  await expect(fold).toHaveClass(/current/);
  await page.keyboard.press('ArrowRight');
  expect(await grid.get('cursor')).toBe(to);

  // By mouse, from above to below and from the fold itself.
  const rows = await grid.rows();
  const at = rows.findIndex((row) => row.fold !== '');
  await grid.cell(at - 2, 4).hover();
  await page.mouse.down();
  await grid.cell(at + 2, 5).hover();
  await page.mouse.up();
  const begin = rows[at - 2]!.address + 4;
  expect(await grid.get('selection')).toEqual({ offset: begin, length: rows[at + 2]!.address + 5 - begin + 1 });
  await fold.hover();
  await page.mouse.down();
  await grid.cell(at - 1, 2).hover();
  await page.mouse.up();
  expect(await grid.get('selection')).toEqual({ offset: from - width + 2, length: to - (from - width + 2) });
  await expect(fold).toHaveCount(1);
  await page.keyboard.press('Control+a');
  expect(await grid.get('selection')).toEqual({ offset: 0, length: small.size });
});

test('the fold as a screen reader has it, and no more rows than are seen', async ({ folder, page }) => {
  smallFile(join(folder, 'small'));
  const grid = new Grid(page);
  await grid.open('small', '#holes=folded');
  const fold = foldRows(page);
  await expect(fold).toHaveCount(1);
  await expect(fold).toMatchAriaSnapshot(`
    - row:
      - rowheader "00000000"
      - gridcell "Hole · 128 KiB of zeros · 0x0 – 0x1ffff · Enter unfolds"
  `);
  await expect(fold.getByRole('gridcell')).toHaveAttribute('aria-expanded', 'false');
  await expect(fold).toHaveAttribute('aria-rowindex', '2');
  const id = await fold.getByRole('gridcell').getAttribute('id');
  await expect(grid.element).toHaveAttribute('aria-activedescendant', id!);
  // Two islands, three holes, and the head.
  await expect(grid.element).toHaveAttribute('aria-rowcount', String((2 * pageSize) / width + 3 + 1));
  await page.keyboard.press('PageDown');
  await grid.loaded();
  const whole = await grid.get('wholeRows');
  expect(await grid.view.locator('.row').count()).toBeLessThanOrEqual(whole + 3);
  await page.keyboard.press('Control+End');
  await expect(fold).toHaveAttribute('aria-rowindex', String((2 * pageSize) / width + 3 + 1));
});

test('another version of the file is folded by its own holes, and the place is kept', async ({ folder, page }) => {
  const path = join(folder, 'small');
  smallFile(path);
  const grid = new Grid(page);
  await grid.open('small', '#offset=0x2fff0&top=0x2ff60&holes=folded');
  await expect(foldRows(page)).toHaveCount(1);
  overwrite(path, contents(0x10_0000, pageSize), 0x10_0000);
  await page.getByRole('button', { name: 'Show the new version' }).click();
  await expect.poll(async () => (await grid.rows()).find(({ fold }) => fold !== '')?.fold).toContain('0xfffff ·');
  const rows = await grid.loaded();
  expect(rows[0]!.address).toBe(0x2ff60);
  expect(rows[11]!.address).toBe(0x10_0000);
  expect(rows[11]!.bytes).toEqual([...contents(0x10_0000, width)]);
});

test('nothing is asked for that only folded rows would show', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img', '#offset=0x2fff0&top=0x2ff60&holes=folded');
  await expect(foldRows(page)).toHaveCount(1);
  const asked: number[] = [];
  page.on('request', (request) => {
    const from = /bytes=(\d+)-/.exec(request.headers()['range'] ?? '')?.[1];
    if (from !== undefined) asked.push(Number(from));
  });
  for (let turn = 0; turn < 4; ++turn) await page.keyboard.press('PageDown');
  await grid.loaded();
  expect(asked.filter((from) => from >= hole.from && from < hole.to - pageSize)).toEqual([]);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme} colours`, () => {
    test.use({ colorScheme });

    test('axe finds nothing in what is folded, selected and unfolded', async ({ folder, page }) => {
      smallFile(join(folder, 'small'));
      const grid = new Grid(page);
      await grid.open('small', '#offset=0x2fff0&top=0x2ff60&holes=folded');
      await expect(foldRows(page)).toHaveCount(1);
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press('Shift+ArrowDown');
      await page.keyboard.press('Shift+ArrowDown');
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Enter');
      await expect(foldRows(page)).toHaveCount(0);
      await expect(page.getByRole('button', { name: 'Fold', exact: true })).toBeVisible();
      expect(await violations(page)).toEqual([]);
      // Zeros that are stored nowhere, selected.
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Shift+ArrowDown');
      await expect(grid.view.locator('.byte.hole.selected').first()).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });
  });
}

test.describe('on a phone, 390 pixels wide', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

  test('folds fit, and are unfolded by a finger', async ({ folder, page }) => {
    new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img', '#offset=0x2fff0&top=0x2ff60');
    const fits = async (): Promise<void> =>
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    const sideways = (): Promise<number> => grid.view.locator('.pane').evaluate((pane) => pane.scrollWidth);
    const before = await sideways();
    await page.getByRole('button', { name: 'View options' }).tap();
    await option(page).tap();
    await expect(foldRows(page)).toHaveCount(1);
    await fits();
    expect(await sideways()).toBe(before);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'View options' }).tap();
    await foldRows(page).tap();
    await expect(foldRows(page)).toHaveCount(0);
    await page.getByRole('button', { name: 'Fold', exact: true }).tap();
    await expect(foldRows(page)).toHaveCount(1);
    await fits();
  });
});
