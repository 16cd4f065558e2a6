/** The right bytes on screen, however one gets there, at every place where viewers break. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { violations } from './axe';
import { landmarks, SparseFile } from './files';
import { expect, test } from './fixtures';
import { Grid } from './grid';

const hex = (offset: number): string => `0x${offset.toString(16)}`;

test.describe('at every landmark of a 16 TiB file', () => {
  let file: SparseFile;
  let grid: Grid;
  let places: number[];

  test.beforeEach(({ folder, page }) => {
    file = new SparseFile(join(folder, 'disk.img'));
    places = [...landmarks, file.size - 1];
    grid = new Grid(page);
  });

  test('after goto', async () => {
    await grid.open('disk.img');
    for (const place of places) {
      for (const target of [place - 1, place, place + 1].filter((offset) => offset >= 0 && offset < file.size)) {
        await grid.goto(hex(target));
        await grid.expectBytesOf(file);
        expect(await grid.get('cursor')).toBe(target);
        await expect(grid.page.locator('[data-status=offset]')).toContainText(hex(target));
        await expect(grid.view.locator('.byte.cursor')).toHaveText(file.byteAt(target).toString(16).padStart(2, '0'));
      }
    }
  });

  test('after a wheel step, which moves the same number of rows everywhere', async () => {
    await grid.open('disk.img');
    const moved: number[] = [];
    for (const place of places) {
      await grid.goto(hex(place));
      const start = await grid.expectBytesOf(file);
      for (const notches of place === 0 ? [1, 1, 3] : [-1, -1, -3]) {
        const before = await grid.expectBytesOf(file);
        await grid.wheel(notches);
        await expect.poll(() => grid.get('top')).not.toBe(before);
        const after = await grid.expectBytesOf(file);
        moved.push((after - before) / 16 / notches);
      }
      // Back again: the same way, to the same row.
      await grid.wheel(place === 0 ? -5 : 5);
      await expect.poll(() => grid.get('top')).toBe(start);
      await grid.expectBytesOf(file);
    }
    expect(new Set(moved).size, `rows for a notch: ${moved.join(' ')}`).toBe(1);
    expect(moved[0]).toBeGreaterThanOrEqual(3);
  });

  test('after Page Up and Page Down, arrows, Home and End', async ({ page }) => {
    await grid.open('disk.img');
    const rows = await grid.get('wholeRows');
    for (const place of places) {
      await grid.goto(hex(place));
      const top = await grid.expectBytesOf(file);
      const back = place === 0 ? 'PageDown' : 'PageUp';
      const direction = place === 0 ? 1 : -1;
      await page.keyboard.press(back);
      await page.keyboard.press(back);
      expect(await grid.expectBytesOf(file)).toBe(top + direction * 2 * (rows - 1) * 16);
      expect(await grid.get('cursor')).toBe(place + direction * 2 * (rows - 1) * 16);
      await page.keyboard.press(place === 0 ? 'PageUp' : 'PageDown');
      await page.keyboard.press(place === 0 ? 'PageUp' : 'PageDown');
      expect(await grid.get('cursor')).toBe(place);
      await grid.expectBytesOf(file);
      await page.keyboard.press('Home');
      expect(await grid.get('cursor')).toBe(place - (place % 16));
      await page.keyboard.press('End');
      expect(await grid.get('cursor')).toBe(Math.min(file.size - 1, place - (place % 16) + 15));
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowRight');
      await grid.expectBytesOf(file);
    }
    await page.keyboard.press('Control+Home');
    expect(await grid.get('cursor')).toBe(0);
    expect(await grid.expectBytesOf(file)).toBe(0);
    await page.keyboard.press('Control+End');
    expect(await grid.get('cursor')).toBe(file.size - 1);
    const last = (await grid.loaded()).at(-1)!;
    expect(last.address + last.bytes.length).toBe(file.size);
    await grid.expectBytesOf(file);
    // There is nothing beyond.
    for (const key of ['ArrowRight', 'ArrowDown', 'PageDown', 'End']) await page.keyboard.press(key);
    expect(await grid.get('cursor')).toBe(file.size - 1);
  });

  test('after dragging the scrollbar, coarse and fine', async ({ page }) => {
    await grid.open('disk.img');
    const track = (await grid.view.locator('.track').boundingBox())!;
    const thumb = grid.view.locator('.thumb');
    const middle = async (): Promise<[number, number]> => {
      const box = (await thumb.boundingBox())!;
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    // Down to the very end, and up to the very start.
    await page.mouse.move(...(await middle()));
    await page.mouse.down();
    await page.mouse.move(track.x + 5, track.y + track.height / 2, {
      steps: 5,
    });
    await expect(grid.view.locator('.bubble')).toBeVisible();
    await page.mouse.move(track.x + 5, track.y + track.height + 50, {
      steps: 5,
    });
    await page.mouse.up();
    await grid.frame();
    const last = (await grid.loaded()).at(-1)!;
    expect(last.address + last.bytes.length).toBe(file.size);
    await grid.expectBytesOf(file);
    await page.mouse.move(...(await middle()));
    await page.mouse.down();
    await page.mouse.move(track.x + 5, track.y - 50, { steps: 5 });
    await page.mouse.up();
    await grid.frame();
    expect(await grid.expectBytesOf(file)).toBe(0);
    // With Shift a pixel is a row, wherever the thumb is.
    for (const place of landmarks.slice(1)) {
      await grid.goto(hex(place));
      const top = await grid.expectBytesOf(file);
      const [x, y] = await middle();
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.keyboard.down('Shift');
      await page.mouse.move(x, y + 40, { steps: 4 });
      await page.keyboard.up('Shift');
      await page.mouse.up();
      await grid.frame();
      expect(await grid.expectBytesOf(file)).toBe(top + 40 * 16);
    }
  });

  test('when the address is shared', async ({ page, context }) => {
    await grid.open('disk.img');
    for (const place of places) {
      const selected = Math.min(20, file.size - place);
      await grid.goto(hex(place));
      for (let step = 1; step < selected; ++step) await page.keyboard.press('Shift+ArrowRight');
      await grid.wheel(place === 0 ? 1 : -1);
      const top = await grid.expectBytesOf(file);
      await expect.poll(() => new URL(page.url()).hash).toContain(`top=${hex(top)}`);
      if (selected > 1) await expect.poll(() => page.url()).toContain(`select=${hex(place)}+${selected}`);

      const other = new Grid(await context.newPage());
      await other.page.goto(page.url());
      expect(await other.expectBytesOf(file)).toBe(top);
      expect(await other.get('cursor')).toBe(await grid.get('cursor'));
      expect(await other.get('selection')).toEqual({
        offset: place,
        length: selected,
      });
      await other.page.close();
    }
  });
});

test('the address restores columns, grouping, encoding and byte order too', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await page.getByLabel('Columns').selectOption('24');
  await page.getByLabel('Group').selectOption('8');
  await page.getByLabel('Text').selectOption('latin-1');
  await page.getByText('Big endian').click();
  await grid.goto('2^36');
  await expect.poll(() => page.url()).toContain('columns=24&group=8&encoding=latin-1&order=big');
  const address = page.url();
  await page.evaluate(() => localStorage.clear());
  await page.goto('about:blank');
  await page.goto(address);
  await grid.expectBytesOf(file);
  expect((await grid.rows())[0]!.bytes).toHaveLength(24);
  expect(await grid.get('cursor')).toBe(2 ** 36);
  expect(await grid.get('group')).toBe(8);
  expect(await grid.get('encoding')).toBe('latin-1');
  await expect(page.getByLabel('Big endian')).toBeChecked();
});

test('widths from 8 to 64 show the same file', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img', '#columns=8');
  await grid.goto('2^32');
  const watched = new Set([8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64]);
  for (let columns = 8; columns <= 64; ++columns) {
    if (watched.has(columns)) {
      await expect.poll(() => grid.get('columns')).toBe(columns);
      expect((await grid.expectBytesOf(file)) % columns).toBe(0);
      expect((await grid.rows())[0]!.bytes).toHaveLength(columns);
    }
    await page.keyboard.press('.');
  }
  expect(await grid.get('columns')).toBe(64);
  for (let columns = 63; columns >= 8; --columns) await page.keyboard.press(',');
  await expect.poll(() => grid.get('columns')).toBe(8);
  expect(await grid.get('cursor')).toBe(2 ** 32);
});

test('the text column shows each encoding', async ({ folder, page }) => {
  const text = Buffer.from('aé€😀|');
  writeFileSync(join(folder, 'text'), Buffer.concat([text, Buffer.from([0xe9, 0xc8, 0xc9, 0x00, 0x0a])]));
  const grid = new Grid(page);
  await grid.open('text');
  const shown: Record<string, string> = {};
  for (const encoding of ['ascii', 'utf-8', 'latin-1', 'ebcdic']) {
    await page.getByLabel('Text').selectOption(encoding);
    await grid.frame();
    shown[encoding] = (await grid.rows())[0]!.text;
  }
  expect(shown).toEqual({
    ascii: 'a◦◦◦◦◦◦◦◦◦|◦◦◦·•',
    'utf-8': 'aé€😀|◦◦◦·•',
    'latin-1': 'aÃ©â◦¬ð◦◦◦|éÈÉ·•',
    // Code page 037 of 61 c3a9 e282ac f09f9880 7c e9 c8 c9 00 0a.
    ebcdic: '/CzSbÐ0¤qØ@ZHI·•',
  });
});

test('an address that leads beyond the end of the file shows its last byte, and says so', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  const told = page.getByRole('alert');
  for (const [fragment, text] of [
    [`#offset=0x${(file.size + 5).toString(16)}`, `leads to 0x${(file.size + 5).toString(16)}, beyond the end`],
    ['#offset=0x20000000000000', 'leads to more than 0x1fffffffffffff, beyond the end'],
    ['#offset=99999999999999999999&top=99999999999999999999', 'leads to more than 0x1fffffffffffff, beyond the end'],
    ['#select=0x30000000000000+16', 'leads to more than 0x1fffffffffffff, beyond the end'],
  ] as const) {
    await page.goto('/');
    await grid.open('disk.img', fragment);
    await expect(told).toContainText(text);
    await expect.poll(() => grid.get('cursor')).toBe(file.size - 1);
    await grid.expectBytesOf(file);
  }
  await page.keyboard.press('ArrowLeft');
  await expect(told).toHaveCount(0);
  await grid.open('disk.img', `#offset=${file.size}`);
  await expect(told).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await expect(told).toHaveCount(0);
  await grid.open('disk.img', `#offset=${file.size - 1}`);
  await expect(told).toHaveCount(0);
});
