/** The list of files: what is in it, how it is sorted and filtered, and that every name opens. */

import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contents, SparseFile, writeFile } from './files';
import { expect, networkErrors, type Page, test } from './fixtures';
import { Grid } from './grid';

const names = (page: Page): Promise<string[]> => page.locator('tbody .name span').allTextContents();

test('sizes and dates, sorted by any column, filtered, opened by keys', async ({ folder, page }) => {
  const disk = new SparseFile(join(folder, 'disk.img'));
  writeFile(join(folder, 'page-2.bin'), 2048);
  writeFile(join(folder, 'page-10.bin'), 10);
  mkdirSync(join(folder, 'captures'));
  utimesSync(join(folder, 'page-2.bin'), new Date('2024-02-29T12:34:56Z'), new Date('2024-02-29T12:34:56Z'));
  await page.goto('/');
  await expect.poll(() => names(page)).toEqual(['captures/', 'disk.img', 'page-2.bin', 'page-10.bin']);
  const row = page.getByRole('row').filter({ hasText: 'page-2.bin' });
  await expect(row).toContainText('2 KiB');
  await expect(row).toContainText('29 Feb 2024, 12:34');
  await expect(page.getByRole('row').filter({ hasText: 'disk.img' })).toContainText(
    disk.size === 2 ** 44 ? '16 TiB' : '15.9 TiB',
  );
  await expect(page.getByRole('status')).toHaveText('4 entries');

  await page.getByRole('button', { name: 'Size' }).click();
  await expect.poll(() => names(page)).toEqual(['captures/', 'page-10.bin', 'page-2.bin', 'disk.img']);
  await page.getByRole('button', { name: 'Size' }).click();
  await expect(page.getByRole('columnheader', { name: 'Size' })).toHaveAttribute('aria-sort', 'descending');
  await expect.poll(() => names(page)).toEqual(['captures/', 'disk.img', 'page-2.bin', 'page-10.bin']);
  await page.getByRole('button', { name: 'Modified' }).click();
  await expect.poll(async () => (await names(page))[1]).toBe('page-2.bin');

  await page.keyboard.press('/');
  await page.keyboard.type('PAGE');
  await expect.poll(() => names(page)).toEqual(['page-2.bin', 'page-10.bin']);
  await expect(page.getByRole('status')).toHaveText('2 of 4 entries');
  await page.keyboard.type('-3');
  await expect(page.getByText('No name contains “PAGE-3”')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.type('disk');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/view\/disk\.img/);
  await new Grid(page).expectBytesOf(disk);
  // Back in the history is the list, and the browser's own Back button counts.
  await page.goBack();
  await expect(page.getByRole('heading', { name: 'Files' })).toBeVisible();
});

test('names that need care in an address are listed, opened, shared and named', async ({ folder, page }) => {
  const awkward = ['a b', '100%', '#1', 'what?', 'a&b=c', '50%25', 'änderung', '日本', '<b>', "it's", '+plus', 'a;b'];
  mkdirSync(join(folder, 'deep dir %'));
  for (const [index, name] of awkward.entries()) writeFileSync(join(folder, 'deep dir %', name), contents(index, 20));
  await page.goto('/');
  await page.getByRole('link', { name: 'deep dir %/' }).click();
  await expect.poll(async () => (await names(page)).slice(1).sort()).toEqual([...awkward].sort());
  const grid = new Grid(page);
  for (const [index, name] of awkward.entries()) {
    await page.getByRole('link', { name, exact: true }).click();
    await expect(page.getByRole('heading', { level: 1, name, exact: true })).toBeVisible();
    expect((await grid.loaded()).flatMap(({ bytes }) => bytes)).toEqual([...contents(index, 20)]);
    await page.reload();
    expect((await grid.loaded()).flatMap(({ bytes }) => bytes)).toEqual([...contents(index, 20)]);
    await expect(page).toHaveTitle(`${name} – ranged`);
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'deep dir %' }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'deep dir %' })).toBeVisible();
  }
  await page.getByRole('link', { name: 'Up one directory' }).click();
  await expect(page.getByRole('heading', { name: 'Files' })).toBeVisible();
});

test('a directory of more than a thousand comes in parts, all of it reachable', async ({ folder, page }) => {
  const all = Array.from({ length: 1200 }, (_, at) => `f${at}`);
  for (const name of all) writeFileSync(join(folder, name), '');
  await page.goto('/');
  const status = page.getByRole('status');
  const rows = page.locator('tbody tr');
  const more = page.getByRole('button', { name: 'Show more of this directory' });
  await expect(status).toHaveText('1000+ entries');
  await expect(rows).toHaveCount(400);
  // What the browser has comes when it is scrolled to; what the server has, when it is asked for.
  await more.scrollIntoViewIfNeeded();
  await expect.poll(() => rows.count()).toBeGreaterThan(400);
  // The daemon lists by bytes: the last name of all is not among the first 1000.
  const last = all.sort().at(-1)!;
  await page.keyboard.press('/');
  await page.keyboard.type(last);
  // Who looks for a name has all of them looked through.
  await expect(status).toHaveText('1 of 1200 entries');
  await expect(page.getByRole('link', { name: last })).toBeVisible();
  await expect(more).toHaveCount(0);
  await page.keyboard.type('x');
  await expect(page.getByText(`No name contains “${last}x”`)).toBeVisible();
});

test('a directory is listed without the slash too, and its address is put right', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  mkdirSync(join(folder, 'deep dir %'));
  writeFileSync(join(folder, 'deep dir %', 'a.bin'), contents(0, 20));
  await page.goto('/');
  await expect(page.getByRole('link', { name: 'deep dir %/' })).toBeVisible();
  await page.goto('/view/deep%20dir%20%25');
  await expect(page.getByRole('heading', { level: 1, name: 'deep dir %' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'a.bin' })).toBeVisible();
  await expect(page).toHaveURL(/\/view\/deep%20dir%20%25\/$/);
  // Back leads to where one was, and not to the address that was put right.
  await page.getByRole('link', { name: 'a.bin' }).click();
  await new Grid(page).loaded();
  await page.goBack();
  await expect(page.getByRole('link', { name: 'a.bin' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { name: 'Files' })).toBeVisible();
});
