/** Parts of the viewer that are fetched when they are wanted: that no key is lost on the way, and that a failure is told. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { violations } from './axe';
import { SparseFile, writeFile } from './files';
import { expect, networkErrors, type Page, test } from './fixtures';
import { Grid } from './grid';
import { inkedRows } from './map';

const brokenPart = /preload|dynamically imported/i;

/**
 * Holds what the server has of a part until `release`. Called before the page is opened: a route that is set while a page is still
 * loading may be too late for what is asked for next.
 */
async function hold(page: Page, name: string): Promise<{ asked: Promise<unknown>; release: () => void }> {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const pattern = new RegExp(`/assets/${name}-[^/]*\\.js$`);
  await page.route(pattern, async (route) => {
    await released;
    await route.continue();
  });
  return { asked: page.waitForRequest(pattern), release };
}

async function bookmark(page: Page): Promise<void> {
  await page.keyboard.press('m');
  await page.keyboard.type('a place\n');
}

test.describe('a part that cannot be fetched says so, and the page can be loaded again', () => {
  const parts: readonly (readonly [string, string, (page: Page) => Promise<void>])[] = [
    ['the map', 'map', () => Promise.resolve()],
    ['the help', 'Help', (page) => page.keyboard.press('?')],
    ['the strings', 'StringsPanel', (page) => page.keyboard.press('s')],
    ['the digest', 'DigestPanel', (page) => page.keyboard.press('x')],
    ['the legend', 'MapPanel', (page) => page.getByRole('tab', { name: 'Map' }).click()],
    ['the copying', 'CopyMenu', (page) => page.keyboard.press('c')],
    ['the copying at once', 'CopyMenu', (page) => page.keyboard.press('Control+c')],
    ['the folding', 'folding', (page) => page.keyboard.press('h')],
    ['the bookmarks', 'BookmarkList', bookmark],
    ['what reads offsets', 'expression', (page) => page.keyboard.press('g')],
    ['the search', 'SearchPanel', (page) => page.keyboard.press('/')],
  ];
  for (const [what, name, want] of parts) {
    test(what, async ({ folder, page, expectedErrors }) => {
      expectedErrors.push(networkErrors, brokenPart);
      new SparseFile(join(folder, 'disk.img'));
      await page.route(`**/assets/${name}-*.js`, (route) => route.abort());
      const grid = new Grid(page);
      await grid.open('disk.img', '#offset=0x10000000020');
      await want(page);
      const alert = page.getByRole('alert').filter({ hasText: 'could not be fetched' });
      await expect(alert).toBeInViewport({ ratio: 1 });
      expect(await violations(page)).toEqual([]);
      // The bytes are there all the same.
      await page.mouse.wheel(0, 120);
      await grid.loaded();

      await page.unrouteAll();
      await alert.getByRole('button', { name: 'Load the page again' }).click();
      await expect.poll(async () => (await inkedRows(page)).length).toBeGreaterThan(0);
      expect(await grid.get('cursor')).toBe(0x100_0000_0020);
      await want(page);
      await expect(page.getByText('could not be fetched')).toHaveCount(0);
    });
  }

  test('the list of files', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors, brokenPart);
    writeFile(join(folder, 'file'), 10);
    await page.route('**/assets/FileList-*.js', (route) => route.abort());
    await page.goto('/');
    await expect(page.getByRole('alert')).toContainText('The list of files could not be fetched');
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Load the page again' }).click();
    await expect(page.getByRole('link', { name: 'file', exact: true })).toBeVisible();
  });

  test('put away, the news of it is gone, and the key asks again', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors, brokenPart);
    writeFile(join(folder, 'file'), 100);
    await page.route('**/assets/Help-*.js', (route) => route.abort());
    const grid = new Grid(page);
    await grid.open('file');
    await page.keyboard.press('?');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await expect(page.getByRole('alert')).toHaveCount(0);
    await expect(grid.element).toBeFocused();
    await page.unrouteAll();
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog', { name: 'Help' })).toBeVisible();
  });
});

test.describe('what is pressed while a part is on its way is kept for it', () => {
  test('keys of the menu to copy from', async ({ folder, page }) => {
    const path = join(folder, 'file');
    writeFile(path, 100);
    const menu = await hold(page, 'CopyMenu');
    const grid = new Grid(page);
    await grid.open('file', '#select=0x10+6');
    await page.keyboard.press('c');
    await menu.asked;
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await grid.get('selection')).toEqual({ offset: 0x10, length: 6 });
    menu.release();
    const base64 = readFileSync(path).subarray(0x10, 0x16).toString('base64');
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(base64);
    await expect(grid.element).toBeFocused();
  });

  test('Escape, which takes the menu back', async ({ folder, page }) => {
    writeFile(join(folder, 'file'), 100);
    const menu = await hold(page, 'CopyMenu');
    const grid = new Grid(page);
    await grid.open('file');
    await page.keyboard.press('c');
    await menu.asked;
    await page.keyboard.press('Escape');
    await expect(grid.element).toBeFocused();
    const fetched = page.waitForResponse(/CopyMenu-.*\.js/);
    menu.release();
    await (await fetched).finished();
    await grid.frame();
    await expect(page.getByRole('menu')).toHaveCount(0);
    await expect(grid.element).toBeFocused();
  });

  test('what was selected when Ctrl+C was pressed', async ({ folder, page }) => {
    const path = join(folder, 'file');
    writeFile(path, 100);
    const menu = await hold(page, 'CopyMenu');
    const grid = new Grid(page);
    await grid.open('file', '#select=0x10+6');
    await page.keyboard.press('Control+c');
    await menu.asked;
    await page.keyboard.press('ArrowRight');
    menu.release();
    const hex = readFileSync(path)
      .subarray(0x10, 0x16)
      .toString('hex')
      .replace(/..(?=.)/g, '$& ');
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(hex);
  });

  test('where to go', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const reader = await hold(page, 'expression');
    const grid = new Grid(page);
    await grid.open('disk.img');
    await page.keyboard.press('g');
    await page.keyboard.type('2^40+0x10\n');
    await reader.asked;
    reader.release();
    await expect(grid.element).toBeFocused();
    expect(await grid.get('cursor')).toBe(2 ** 40 + 0x10);
    await grid.expectBytesOf(file);
  });

  test('a place to go to, in a hole that is about to be folded', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const folding = await hold(page, 'folding');
    const grid = new Grid(page);
    await grid.open('disk.img', '#offset=0x2fff0&top=0x2ff60');
    await expect(grid.view.locator('.row.hollow').first()).toBeVisible();
    await page.keyboard.press('h');
    await folding.asked;
    await expect(page.getByRole('checkbox', { name: 'Fold holes' })).toBeChecked();
    await grid.goto('2^33');
    folding.release();
    // That hole is shown, the others are folded.
    await expect(grid.view.locator('.band').getByRole('button', { name: 'Fold', exact: true })).toBeVisible();
    expect(await grid.get('cursor')).toBe(2 ** 33);
    await grid.expectBytesOf(file);
    await grid.goto('0x2fff0');
    await expect(grid.view.locator('.row.folded')).toHaveCount(1);
  });

  test('h and h again, which leaves it as it was', async ({ folder, page }) => {
    new SparseFile(join(folder, 'disk.img'));
    const folding = await hold(page, 'folding');
    const grid = new Grid(page);
    await grid.open('disk.img', '#offset=0x2fff0&top=0x2ff60');
    await expect(grid.view.locator('.row.hollow').first()).toBeVisible();
    await page.keyboard.press('h');
    await folding.asked;
    await page.keyboard.press('h');
    const fetched = page.waitForResponse(/folding-.*\.js/);
    folding.release();
    await (await fetched).finished();
    await grid.frame();
    await expect(grid.view.locator('.row.folded')).toHaveCount(0);
    await expect(page.getByRole('checkbox', { name: 'Fold holes' })).not.toBeChecked();
  });

  test('the way to the next data', async ({ folder, page }) => {
    const path = join(folder, 'sparse');
    new SparseFile(path);
    const map = await hold(page, 'map');
    const grid = new Grid(page);
    await grid.open('sparse', '#offset=0x40000000');
    await map.asked;
    await page.keyboard.press('d');
    map.release();
    await expect(page.getByRole('status').filter({ hasText: 'Data at 0x' })).toBeVisible();
    expect(await grid.get('cursor')).toBeGreaterThan(0x4000_0000);
  });
});
