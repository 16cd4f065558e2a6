/** Searching: on the server, stopped and taken up, listed by the million, in the address, and through every failure. */

import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { violations } from './axe';
import { contents, overwrite, pageSize } from './files';
import { expect, networkErrors, type Page, test } from './fixtures';
import { Grid } from './grid';
import { Relay } from './relay';

const tebibyte = 2 ** 40;
const needle = 'needle';
/** Over the edge of a page, beyond 32 bits, and at the very end. */
const needles = [5 * pageSize - 3, 2 ** 32 + 7, tebibyte - needle.length];
/** An expression that holes match: the server looks at every zero of them, for minutes. */
const slow = '\\x00{200}';

function haystack(path: string, size = tebibyte, places: readonly number[] = needles): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, size);
  for (const place of places) writeSync(file, Buffer.from(needle), 0, needle.length, place);
  closeSync(file);
}

const field = (page: Page) => page.getByRole('combobox', { name: 'Find', exact: true });
const progress = (page: Page) => page.locator('[data-search]').first();
const list = (page: Page) => page.getByRole('listbox', { name: 'Matches' });
const rows = (page: Page) => list(page).getByRole('option');

async function search(page: Page, text: string, mode?: string): Promise<void> {
  await page.getByRole('grid', { name: 'Bytes' }).focus();
  await page.keyboard.press('/');
  await expect(field(page)).toBeFocused();
  if (mode !== undefined) await page.getByLabel('Kind of search').selectOption(mode);
  await field(page).fill(text);
  await field(page).press('Enter');
}

async function selection(grid: Grid): Promise<{ offset: number; length: number }> {
  const { offset, length } = await grid.get('selection');
  return { offset, length };
}

const expectSelected = (grid: Grid, offset: number, length = needle.length): Promise<void> =>
  expect.poll(() => selection(grid)).toEqual({ offset, length });

/** The bytes that are marked as matches, by address. */
function marked(page: Page): Promise<number[]> {
  return page.locator('hex-view').evaluate((view) =>
    [...view.shadowRoot!.querySelectorAll<HTMLElement>('.row:not([hidden])')].flatMap((row) => {
      const address = parseInt(row.querySelector('[role=rowheader]')!.getAttribute('aria-label')!, 16);
      return [...row.querySelectorAll('.byte')].flatMap((byte, at) =>
        byte.classList.contains('match') ? [address + at] : [],
      );
    }),
  );
}

const scans = async (address: string): Promise<number> => {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(/^ranged_scans (\d+)/m.exec(text)?.[1] ?? NaN);
};

test('a sparse terabyte is searched, stopped and taken up where it was', async ({ folder, page, daemon }) => {
  haystack(join(folder, 'disk.img'));
  const relay = await Relay.start(daemon.address);
  relay.holdAfter = ({ type, offset }) => type === 'match' && offset === needles[1];
  await page.goto(`${relay.address}/view/disk.img`);
  const grid = new Grid(page);
  await grid.loaded();
  await search(page, needle);
  // The first is shown while the search goes on.
  await expectSelected(grid, needles[0]!);
  await expect(rows(page)).toHaveCount(2);
  await expect(progress(page)).toHaveAttribute('data-search', 'running');
  await expect(progress(page)).toContainText('2 matches so far');
  await expect(progress(page)).toContainText('4 GiB of 1 TiB');
  await expect(page.getByRole('progressbar')).toBeVisible();

  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(progress(page)).toContainText('stopped after 4 GiB of 1 TiB');
  await relay.left(1);
  await expect(rows(page)).toHaveCount(2);
  await expectSelected(grid, needles[0]!);

  relay.release();
  const asked = relay.searches.length;
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(progress(page)).toHaveText('3 matches in 1 TiB');
  await expect(rows(page)).toHaveCount(3);
  expect(relay.searches[asked]!.get('offset')).toBe(String(needles[1]! + 1));
  await expect(rows(page).nth(2)).toContainText('fffffffffa');
  await relay.close();
});

test('a long search tells how far it is, and stopping it stops the server', async ({ folder, page, daemon }) => {
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  const asked: URL[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/search?')) asked.push(new URL(request.url()));
  });
  await search(page, slow, 'regex');
  await expect(progress(page)).toContainText(/iB of 1 TiB · [\d.]+ [KMG]iB\/s · [\d.]+ (?:s|min|h|days) left/);
  const part = Number(await page.getByRole('progressbar').getAttribute('value'));
  await expect
    .poll(async () => Number(await page.getByRole('progressbar').getAttribute('value')))
    .toBeGreaterThan(part);
  await field(page).press('Escape');
  await expect(progress(page)).toHaveAttribute('data-search', 'stopped');
  await expect.poll(() => scans(daemon.address)).toBe(0);
  const done = Number(await page.getByRole('progressbar').getAttribute('value')) * tebibyte;
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(progress(page)).toHaveAttribute('data-search', 'running');
  const resumed = Number(asked.at(-1)!.searchParams.get('offset'));
  expect(resumed).toBeGreaterThan(0);
  // An expression is taken up as much earlier as a match may be long, and a match may have begun before it was found.
  expect(resumed).toBeLessThanOrEqual(done);
  expect(done - resumed).toBeLessThan(3 * 32 * 1024);
  await page.getByRole('button', { name: 'Stop' }).click();
});

test('next and previous go from match to match, over page edges and around the ends', async ({ folder, page }) => {
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img', '#offset=0x20');
  await search(page, needle);
  await expectSelected(grid, needles[0]!);
  const status = page.getByRole('status').filter({ hasText: 'Found at' });
  await expect(status).toHaveText('Found at 0x4fffd, match 1 of 3');
  await field(page).press('Enter');
  await expectSelected(grid, needles[1]!);
  await page.keyboard.press('F3');
  await expectSelected(grid, needles[2]!);
  await page.keyboard.press('F3');
  await expectSelected(grid, needles[0]!);
  await expect(status).toContainText('from the file’s other end');
  await page.keyboard.press('Shift+F3');
  await expectSelected(grid, needles[2]!);
  await field(page).press('Shift+Enter');
  await expectSelected(grid, needles[1]!);
  await grid.element.focus();
  await page.keyboard.press('N');
  await expectSelected(grid, needles[0]!);
  await page.keyboard.press('n');
  await expectSelected(grid, needles[1]!);
  await page.getByRole('button', { name: 'Previous match' }).click();
  await expectSelected(grid, needles[0]!);
  // The row that was stepped to is the one that is chosen, and what is in view is marked: over the edge of two pages.
  await expect(list(page).getByRole('option', { selected: true })).toContainText('04fffd');
  await expect.poll(() => marked(page)).toEqual(Array.from(needle, (_, at) => needles[0]! + at));
  // From the cursor, wherever it is.
  await grid.goto('2^33');
  await page.keyboard.press('N');
  await expectSelected(grid, needles[1]!);
  // Back leads to where the steps began, not through each of them.
  await page.keyboard.press('[');
  await expect.poll(() => grid.get('cursor')).toBe(2 ** 33);
});

test('what was taken for bytes and is not there is looked for as text at a click', async ({ folder, page }) => {
  writeFileSync(join(folder, 'log'), 'the server is dead');
  const grid = new Grid(page);
  await grid.open('log');
  await search(page, 'dead');
  await expect(page.getByRole('status').filter({ hasText: 'Not found' })).toHaveText('Not found as hex bytes');
  await page.getByRole('button', { name: 'Search as text' }).click();
  await expectSelected(grid, 14, 4);
  await expect(field(page)).toBeFocused();
  await search(page, 'absent', 'auto');
  await expect(page.getByRole('status').filter({ hasText: 'Not found' })).toHaveText('Not found as text');
  await expect(page.getByRole('button', { name: 'Search as text' })).toHaveCount(0);
});

test('a search of an empty file says why there is nothing', async ({ folder, page }) => {
  writeFileSync(join(folder, 'empty'), '');
  await page.goto('/view/empty');
  await page.keyboard.press('/');
  await field(page).fill('x');
  await field(page).press('Enter');
  await expect(page.locator('#find-outcome')).toHaveText('The file is empty');
});

test('who stops a search and goes on by keyboard stays on the button', async ({ folder, page }) => {
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await search(page, slow, 'regex');
  const stop = page.getByRole('button', { name: 'Stop' });
  const goOn = page.getByRole('button', { name: 'Go on' });
  await expect(progress(page)).toContainText('left');
  await stop.focus();
  await page.keyboard.press('Enter');
  await expect(goOn).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(stop).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(goOn).toBeFocused();
});

test('a match in the last rows of a file stays in view when the list of matches opens above', async ({
  folder,
  page,
}) => {
  const place = 4096 - 20;
  haystack(join(folder, 'disk.img'), 4096, [0, 200, 400, 600, 800, 1000, place]);
  const grid = new Grid(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  await grid.open('disk.img', '#offset=0xf80');
  await search(page, needle);
  await expectSelected(grid, place);
  await expect(rows(page)).toHaveCount(7);
  await expect
    .poll(async () => {
      const top = await grid.get('top');
      return place >= top && place < top + (await grid.get('wholeRows')) * 16;
    })
    .toBe(true);
  await expect.poll(() => marked(page)).toEqual(Array.from(needle, (_, at) => place + at));
});

test('text, numbers and bytes are found as they lie in the file', async ({ folder, page }) => {
  const bytes = Buffer.concat([
    Buffer.alloc(1000),
    Buffer.from('Grüße', 'utf16le'),
    Buffer.alloc(100),
    Buffer.from('HeLLo'),
    Buffer.alloc(100),
    Buffer.from([0x12, 0x34, 0x56, 0x78]),
    Buffer.from([0xe9]),
  ]);
  writeFileSync(join(folder, 'mixed.bin'), bytes);
  const grid = new Grid(page);
  await grid.open('mixed.bin');
  await search(page, 'Grüße', 'text');
  await expect(page.getByRole('status').filter({ hasText: 'Not found' })).toBeVisible();
  await page.getByLabel('Encoding of the text').selectOption('utf-16le');
  await field(page).press('Enter');
  await expectSelected(grid, 1000, 10);
  await page.getByLabel('Encoding of the text').selectOption('utf-8');
  await field(page).fill('hello');
  await page.getByRole('button', { name: 'Ignore case' }).click();
  await field(page).press('Enter');
  await expectSelected(grid, 1110, 5);
  await page.getByLabel('Kind of search').selectOption('number');
  await page.getByLabel('Type of the number').selectOption('u32');
  await page.getByLabel('Byte order of the number').selectOption('big');
  await field(page).fill('0x12345678');
  await field(page).press('Enter');
  await expectSelected(grid, 1215, 4);
  await page.getByLabel('Byte order of the number').selectOption('little');
  await field(page).press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'Not found' })).toBeVisible();
  await page.getByLabel('Kind of search').selectOption('auto');
  await field(page).fill('4? 65 4c');
  await expect(page.getByText('as hex bytes')).toBeVisible();
  await field(page).press('Enter');
  await expectSelected(grid, 1110, 3);
  await field(page).fill('/h.l+o$?/i');
  await expect(page.getByText('as a regular expression')).toBeVisible();
});

test('a list of a million matches is scrolled, paged and walked in few nodes', async ({ folder, page }) => {
  const size = 1_200_000;
  writeFileSync(join(folder, 'full.bin'), Buffer.alloc(size, 'a'));
  const grid = new Grid(page);
  await grid.open('full.bin');
  await search(page, 'a', 'text');
  await expect(progress(page)).toContainText('1\u202f200\u202f000 matches');
  const shown = page.locator('[data-search=shown]');
  await expect(shown).toContainText('1 to 1\u202f000\u202f000 of 1\u202f200\u202f000');
  const few = async (): Promise<void> => expect(await rows(page).count()).toBeLessThanOrEqual(24);
  await few();
  const heap = await page.evaluate(
    () => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize,
  );
  expect(heap).toBeLessThan(128 * 1024 * 1024);

  // The wheel moves by rows, wherever the list is.
  const first = async (): Promise<number> => parseInt(await rows(page).first().locator('.address').innerText(), 16);
  await list(page).hover();
  await page.mouse.wheel(0, 300);
  await expect.poll(first).toBeGreaterThan(4);
  expect(await first()).toBeLessThan(20);
  // The scrollbar goes to its part of the list.
  await list(page).evaluate((element) => (element.scrollTop = (element.scrollHeight - element.clientHeight) / 2));
  await expect.poll(first).toBeGreaterThan(499_000);
  expect(await first()).toBeLessThan(501_000);
  const middle = await first();
  await page.mouse.wheel(0, 300);
  await expect.poll(async () => (await first()) - middle).toBeGreaterThan(4);
  expect((await first()) - middle).toBeLessThan(20);
  await few();

  await list(page).focus();
  await page.keyboard.press('End');
  await expect(list(page).getByRole('option', { selected: true })).toContainText('000f423f');
  await few();
  await page.keyboard.press('Enter');
  await expectSelected(grid, 999_999, 1);
  await expect
    .poll(async () => (await marked(page)).length)
    .toBe((await grid.rows()).flatMap(({ bytes }) => bytes).length);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('PageUp');
  await page.keyboard.press('Home');
  await expect(list(page).getByRole('option', { selected: true })).toContainText('00000000');

  // Beyond a million: the next page, whose matches are as good as those of the first.
  await page.getByRole('button', { name: 'The matches after these' }).click();
  await expect(shown).toContainText('1\u202f000\u202f001 to 1\u202f200\u202f000 of 1\u202f200\u202f000');
  await expect(rows(page).first()).toContainText('000f4240');
  await list(page).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expectSelected(grid, size - 1, 1);
  await expect(page.getByRole('button', { name: 'The matches after these' })).toBeDisabled();
  await page.getByRole('button', { name: 'The matches before these' }).click();
  await expect(shown).toContainText('1 to 1\u202f000\u202f000');
  await few();
});

test('a row shows what is around its match, and why it cannot', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  let failing = true;
  await page.route('**/files/disk.img', (route) =>
    failing && route.request().headers()['range']?.includes(',')
      ? route.fulfill({
          status: 500,
          contentType: 'application/problem+json',
          body: '{"title":"The disk could not be read"}',
        })
      : route.continue(),
  );
  await search(page, needle);
  const alert = page.getByRole('alert').filter({ hasText: 'The disk could not be read' });
  await expect(alert).toBeVisible();
  await expect(rows(page)).toHaveCount(3);
  failing = false;
  await alert.getByRole('button', { name: 'Try again' }).click();
  await expect(alert).toHaveCount(0);
  await expect(rows(page).nth(1).locator('.hex mark')).toHaveText('6e 65 65 64 6c 65');
  await expect(rows(page).nth(1).locator('.text mark')).toHaveText(needle);
  await expect(rows(page).nth(2).locator('.text')).toHaveText('········needle');
  await rows(page).nth(2).click();
  await expectSelected(grid, needles[2]!);
});

test('an expression that is none is told beside the field, and mended', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img', '#offset=0x40');
  const asked: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/search?')) asked.push(request.url());
  });
  await search(page, 'n(e+dle', 'regex');
  const outcome = page.locator('#find-outcome');
  await expect(outcome).toContainText('“n(e+dle” is no expression that can be searched for: Missing close parenthesis');
  // Longer than matches in view would be asked for after.
  await page.waitForTimeout(500);
  expect(asked).toHaveLength(1);
  await field(page).press('Shift+Enter');
  await expect.poll(() => asked.length).toBe(2);
  await expect(outcome).toContainText('“n(e+dle” is no expression');
  await page.waitForTimeout(500);
  expect(asked).toHaveLength(2);
  await expect(field(page)).toHaveAttribute('aria-invalid', 'true');
  await expect(field(page)).toBeFocused();
  expect(await grid.get('cursor')).toBe(0x40);
  await field(page).press('End');
  await field(page).press(')');
  await expect(field(page)).toHaveAttribute('aria-invalid', 'false');
  await field(page).press('Enter');
  await expectSelected(grid, needles[0]!);
  await expect(progress(page)).toHaveText('3 matches in 1 TiB');
  // What this viewer knows to be none is not even sent.
  await page.getByLabel('Kind of search').selectOption('hex');
  await field(page).fill('7f4');
  await field(page).press('Enter');
  await expect(page.getByRole('alert')).toHaveText('A digit is missing: two make a byte');
});

test.describe('with room for one search', () => {
  test.use({ daemonOptions: ['--max-scans', '1'] });

  test('a server that is busy says so, is asked again, and finds it', async ({
    folder,
    page,
    daemon,
    expectedErrors,
  }) => {
    expectedErrors.push(networkErrors);
    haystack(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img', '#offset=0x60');
    const other = new AbortController();
    // The viewer's own look at the file has the room until it is done.
    const ask = (): Promise<Response> =>
      fetch(`${daemon.address}/search?file=disk.img&regex=${encodeURIComponent(slow)}&limit=0`, {
        signal: other.signal,
      });
    await expect.poll(async () => (await ask()).status).toBe(200);
    await search(page, needle);
    await expect(page.getByRole('alert')).toContainText('As many scans as run at once are running');
    await expect(progress(page)).toHaveAttribute('data-search', 'waiting');
    await expect(progress(page)).toContainText('Trying again');
    expect(await grid.get('cursor')).toBe(0x60);
    other.abort();
    await expect.poll(() => scans(daemon.address)).toBe(0);
    const now = page.getByRole('button', { name: 'Try now' });
    if (await now.isVisible()) await now.click({ timeout: 2000 }).catch(() => undefined);
    await expectSelected(grid, needles[0]!);
    await expect(progress(page)).toHaveText('3 matches in 1 TiB');
  });
});

test('a file that changes while it is searched: what was found is kept, the new version is searched when asked', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'disk.img');
  // Zeros that are written, not a hole: the server reads on, and sees the change by that.
  writeFileSync(path, Buffer.alloc(128 * 1024 * 1024));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await search(page, slow, 'regex');
  await expect(progress(page)).toContainText('left');
  overwrite(path, contents(0, 100), 2 ** 26);
  await expect(progress(page)).toHaveAttribute('data-search', 'outdated');
  await expect(progress(page)).toContainText('The file has changed since it was searched');
  expect(await rows(page).count()).toBeGreaterThan(3);
  const place = await grid.get('cursor');
  await page.getByRole('button', { name: 'Search the new version' }).click();
  await expect(progress(page)).toHaveAttribute('data-search', 'running');
  await expect(page.getByText('This file has changed on the server')).toHaveCount(0);
  expect(await grid.get('cursor')).toBe(place);
  await page.getByRole('button', { name: 'Stop' }).click();
});

test('the server goes away while it searches: what was found is kept, and it goes on', async ({
  folder,
  page,
  daemon,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await search(page, slow, 'regex');
  // Killed only once it is well past what must not be asked for again.
  await expect(progress(page)).toContainText(/(?:\d\d+(?:\.\d+)?|[2-9](?:\.\d+)?)\sMiB of|GiB of/);
  await expect(progress(page)).toContainText('left');
  await daemon.kill();
  await expect(progress(page)).toHaveAttribute('data-search', 'waiting');
  // One banner for the page and the search.
  await expect(progress(page)).toContainText('goes on once the server is back');
  await expect(page.getByRole('alert')).toHaveCount(1);
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached');
  await expect(page.getByRole('button', { name: 'Try now' })).toHaveCount(1);
  const found = await rows(page).count();
  expect(found).toBeGreaterThan(3);
  const asked: URL[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/search?')) asked.push(new URL(request.url()));
  });
  await daemon.run();
  await page
    .getByRole('button', { name: 'Try now' })
    .click({ timeout: 1000 })
    .catch(() => undefined);
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(progress(page)).toHaveAttribute('data-search', 'running');
  await expect.poll(() => asked.length).toBeGreaterThan(0);
  expect(Number(asked.at(-1)!.searchParams.get('offset'))).toBeGreaterThan(2 ** 20);
  await page.getByRole('button', { name: 'Stop' }).click();
});

test('an address restores the search and the place, and leaves the disk alone until it is told', async ({
  folder,
  page,
  context,
  baseURL,
}) => {
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await search(page, '6e 65 ?? 64', 'hex');
  // Enter before the first is found would look for the first again.
  await expectSelected(grid, needles[0]!, 4);
  await field(page).press('Enter');
  await expectSelected(grid, needles[1]!, 4);
  await expect.poll(() => page.url()).toContain('search=hex:6e%2065%20??%2064');
  await expect.poll(() => page.url()).toContain('select=0x100000007+4');

  const other = await context.newPage();
  const asked: URL[] = [];
  other.on('request', (request) => {
    if (request.url().includes('/search?')) asked.push(new URL(request.url()));
  });
  await other.goto(page.url().replace(baseURL!, baseURL!));
  const restored = new Grid(other);
  await restored.loaded();
  await expect(field(other)).toHaveValue('6e 65 ?? 64');
  await expect(other.getByLabel('Kind of search')).toHaveValue('hex');
  expect(await selection(restored)).toEqual({ offset: needles[1]!, length: 4 });
  await expect.poll(() => marked(other)).toEqual([7, 8, 9, 10].map((at) => 2 ** 32 + at));
  for (const address of asked) expect(Number(address.searchParams.get('len'))).toBeLessThan(1_000_000);
  await other.getByRole('button', { name: 'Search the file' }).click();
  await expect(progress(other)).toHaveText('3 matches in 1 TiB');
  // Found from the place on: the list begins with it.
  await expect(rows(other).first()).toContainText('0100000007');
  await expect(rows(other).nth(2)).toContainText('from the start of the file');

  // Closed, it leaves the address and the grid.
  await field(other).press('Escape');
  await expect(field(other)).toBeHidden();
  await expect.poll(() => other.url()).not.toContain('search=');
  expect(await marked(other)).toEqual([]);
  // And is there again, with all that was found.
  await other.keyboard.press('/');
  await expect(rows(other)).toHaveCount(3);
  await other.close();
});

test('a search by keyboard alone', async ({ folder, page }) => {
  haystack(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await page.keyboard.press('/');
  await page.keyboard.type('needle');
  await page.keyboard.press('Enter');
  await expectSelected(grid, needles[0]!);
  await expect(rows(page)).toHaveCount(3);
  await expect
    .poll(async () => {
      await page.keyboard.press('Tab');
      return list(page).evaluate((element) => element === document.activeElement);
    })
    .toBe(true);
  await page.keyboard.press('ArrowDown');
  await expect(list(page)).toHaveAttribute('aria-activedescendant', 'hit-1');
  await page.keyboard.press('Enter');
  await expectSelected(grid, needles[1]!);
  await expect(list(page)).toBeFocused();
  await page.keyboard.press('End');
  await page.keyboard.press(' ');
  await expectSelected(grid, needles[2]!);
  await page.keyboard.press('Escape');
  await expect(grid.element).toBeFocused();
  await page.keyboard.press('F3');
  await expectSelected(grid, needles[0]!);
  await page.keyboard.press('/');
  await expect(field(page)).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(grid.element).toBeFocused();
  await expect(list(page)).toBeHidden();
});

test('no key is lost while the search is being fetched, nor when that fails', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors, /preload|dynamically imported/i);
  haystack(join(folder, 'disk.img'));
  let failing = true;
  // Before the page is opened: one that is set later may be too late.
  await page.route('**/assets/SearchPanel-*.js', (route) => (failing ? route.abort() : route.continue()));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await page.keyboard.press('/');
  await page.keyboard.type('needle');
  await expect(page.getByRole('alert')).toContainText('could not be fetched');
  failing = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(field(page)).toHaveValue('needle');
  await field(page).press('Enter');
  await expectSelected(grid, needles[0]!);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme} colours`, () => {
    test.use({ colorScheme });

    test('axe finds nothing in an open search', async ({ folder, page, expectedErrors }) => {
      expectedErrors.push(networkErrors);
      haystack(join(folder, 'disk.img'));
      const grid = new Grid(page);
      await grid.open('disk.img');
      await search(page, needle);
      await expect(progress(page)).toHaveText('3 matches in 1 TiB');
      await expect(rows(page).first().locator('.text mark')).toHaveText(needle);
      expect(await violations(page)).toEqual([]);
      await search(page, '(', 'regex');
      await expect(page.locator('#find-outcome')).toContainText('Missing close');
      expect(await violations(page)).toEqual([]);
      await search(page, slow, 'regex');
      await expect(progress(page)).toContainText('left');
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: 'Stop' }).click();
      await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
      expect(await violations(page)).toEqual([]);
      await page.getByLabel('Kind of search').selectOption('number');
      expect(await violations(page)).toEqual([]);
    });
  });
}

test.describe('on a phone, 390 pixels wide', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

  test('a search fits, and is used by a finger', async ({ folder, page }) => {
    haystack(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    await page.getByRole('button', { name: 'Find', exact: true }).tap();
    await expect(field(page)).toBeFocused();
    await page.keyboard.type(needle);
    await page.getByRole('button', { name: 'Next match' }).tap();
    await expectSelected(grid, needles[0]!);
    await expect(rows(page)).toHaveCount(3);
    await rows(page).nth(1).tap();
    await expectSelected(grid, needles[1]!);
    // The match itself is in view in its row, and the grid has room.
    for (const control of [
      rows(page).nth(1).locator('.text mark'),
      page.getByRole('button', { name: 'Close the search' }),
    ])
      await expect(control).toBeInViewport({ ratio: 1 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(390);
    expect((await grid.rows()).length).toBeGreaterThan(10);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Hide the list' }).tap();
    await expect(list(page)).toHaveCount(0);
    await page.getByRole('button', { name: 'Close the search' }).tap();
    await expect(field(page)).toBeHidden();
  });
});

for (const [what, width, height, touch] of [
  ['a phone', 390, 844, true],
  ['a low phone', 390, 664, true],
  ['a tablet', 820, 1180, true],
  ['a low window', 820, 600, false],
] as const) {
  test.describe(`on ${what}`, () => {
    test.use({ viewport: { width, height }, hasTouch: touch, isMobile: width < 500 });

    test('a long list of matches leaves eight rows of bytes, beside a panel or above it', async ({ folder, page }) => {
      writeFileSync(join(folder, 'file'), 'needle '.repeat(1000));
      const grid = new Grid(page);
      await grid.open('file');
      await search(page, needle);
      await expect(progress(page)).toContainText(/1.000 matches/);
      const panel = page.getByRole('complementary');
      for (const open of [true, false]) {
        if ((await panel.isVisible()) !== open) await page.getByRole('button', { name: 'Side panel' }).click();
        await expect(panel).toBeVisible({ visible: open });
        await expect.poll(() => grid.get('wholeRows')).toBeGreaterThanOrEqual(8);
        // Nothing is pushed off the page for it, and what is told stays in lines.
        const outcome = (await page.locator('#find-outcome').boundingBox())!;
        expect(outcome.width).toBeGreaterThan(150);
        await expect(progress(page)).toBeInViewport({ ratio: 1 });
        await expect(page.locator('footer')).toBeInViewport({ ratio: 1 });
        expect((await grid.view.boundingBox())!.height).toBeGreaterThan(0);
      }
      await expect(rows(page).first()).toBeInViewport({ ratio: 1 });
    });
  });
}
