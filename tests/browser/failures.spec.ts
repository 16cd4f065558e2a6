/** Whatever goes wrong is seen where it happened, and no place is lost. */

import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contents, overwrite, pageSize, SparseFile, writeFile } from './files';
import { expect, networkErrors, type Page, test } from './fixtures';
import { Grid } from './grid';

const problem = (status: number, title: string) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ type: 'about:blank', title, status }),
});

const firstByte = (range: string | undefined): number => Number(/bytes=(\d+)-/.exec(range ?? '')?.[1]);

/** The daemon looks at a file anew within a second, the viewer every five; coming back to the tab asks at once. */
async function look(page: Page): Promise<void> {
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
}

async function expectBanner(page: Page, text: string): Promise<void> {
  await expect(async () => {
    await look(page);
    await expect(page.getByRole('alert')).toContainText(text, { timeout: 500 });
  }).toPass();
}

test('a page that fails says why in its rows, and is tried again', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  const file = new SparseFile(join(folder, 'disk.img'));
  const bad = 2 ** 36;
  let failing = true;
  let asked = 0;
  await page.route('**/files/disk.img', async (route) => {
    if (firstByte(route.request().headers()['range']) !== bad) return route.continue();
    ++asked;
    return failing ? route.fulfill(problem(500, 'The disk could not be read')) : route.continue();
  });
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto(`0x${(bad - 16 * 3).toString(16)}`);
  const retry = page.getByRole('button', { name: 'Try again' });
  await expect(retry).toHaveCount(1);
  // The page before comes from the server itself, and may come after the failure.
  await expect
    .poll(async () => (await grid.rows()).some(({ address, bytes }) => address < bad && bytes.includes(-1)))
    .toBe(false);
  const rows = await grid.rows();
  for (const { address, note, bytes } of rows) {
    if (address >= bad) expect(note).toBe('The disk could not be read');
    else expect(bytes).toEqual(file.bytes(address, 16));
  }
  const top = await grid.get('top');
  expect(rows.some(({ address }) => address >= bad)).toBe(true);

  // It fails again, and says so again; then it does not.
  await retry.click();
  await expect.poll(() => asked).toBe(2);
  await expect(retry).toHaveCount(1);
  failing = false;
  await retry.focus();
  await page.keyboard.press('Enter');
  expect(await grid.expectBytesOf(file)).toBe(top);
  await expect(grid.element).toBeFocused();
  expect(asked).toBe(3);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a page whose answers break off is not taken for a server that is away', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  const file = new SparseFile(join(folder, 'disk.img'));
  const bad = 2 ** 32;
  await page.route('**/files/disk.img', (route) =>
    firstByte(route.request().headers()['range']) === bad ? route.abort('connectionreset') : route.continue(),
  );
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto(`0x${(bad - 16).toString(16)}`);
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Try again' }).click();
  await grid.expectBytesOf(file);
});

test('a file that changed says so, keeps the place, and shows the new version when asked', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'disk.img');
  const file = new SparseFile(path);
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto('2^40+5');
  await page.keyboard.press('Shift+ArrowDown');
  const top = await grid.expectBytesOf(file);
  overwrite(path, Buffer.from('changed!'), 2 ** 40);

  await expectBanner(page, 'This file has changed on the server');
  // What was read stays, as it was; what was not is not mixed in.
  await grid.expectBytesOf(file);
  await grid.goto('2^31');
  await expect
    .poll(async () => (await grid.rows()).every(({ note }) => note === 'Not read: the file has changed'))
    .toBe(true);
  await page.keyboard.press('[');
  await expect.poll(() => grid.get('top')).toBe(top);

  await page.getByRole('button', { name: 'Show the new version' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect
    .poll(async () =>
      Buffer.from((await grid.rows()).find(({ address }) => address === 2 ** 40)?.bytes ?? []).toString('latin1'),
    )
    .toContain('changed!');
  expect(await grid.get('top')).toBe(top);
  expect(await grid.get('selection')).toEqual({ offset: 2 ** 40 + 5, length: 17 });
});

test('a change is found by scrolling on, without waiting for a question', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'log');
  writeFile(path, 40 * pageSize);
  const grid = new Grid(page);
  await grid.open('log');
  await grid.loaded();
  // Nobody asks: the pages themselves must tell (412).
  await page.route('**/files/log', (route) => (route.request().method() === 'HEAD' ? route.abort() : route.continue()));
  appendFileSync(path, 'one line more\n');
  await expect(async () => {
    await grid.goto(String(Math.floor(Math.random() * 38 + 1) * pageSize));
    await expect(page.getByRole('alert')).toContainText('This file has changed', { timeout: 300 });
  }).toPass();
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Show the new version' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await grid.goto('end');
  await expect.poll(async () => (await grid.rows()).map(({ text }) => text).join('')).toContain('one line more');
});

test('a file that shrinks below the place: the view goes to its new end', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'dump');
  writeFile(path, 10 * pageSize);
  const grid = new Grid(page);
  await grid.open('dump');
  await grid.goto('9*64KiB+100');
  await grid.loaded();
  truncateSync(path, 2 * pageSize + 5);
  await expectBanner(page, 'This file has changed on the server');
  expect(await grid.get('cursor')).toBe(9 * pageSize + 100);
  await page.getByRole('button', { name: 'Show the new version' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  expect(await grid.get('cursor')).toBe(2 * pageSize + 4);
  const last = (await grid.loaded()).at(-1)!;
  expect(last.address + last.bytes.length).toBe(2 * pageSize + 5);
  expect(last.bytes).toEqual([...contents(last.address, 5)]);
});

test('a new version that cannot be opened says why, and is tried again', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'core');
  writeFile(path, 3 * pageSize);
  const grid = new Grid(page);
  await grid.open('core');
  overwrite(path, Buffer.from('changed!'), 0);
  const banner = page.getByRole('alert');
  await expectBanner(page, 'This file has changed on the server');
  let answer: { status: number; title: string } | undefined = { status: 500, title: 'The disk is on fire' };
  await page.route(/\/info\?/, (route) =>
    answer ? route.fulfill(problem(answer.status, answer.title)) : route.continue(),
  );
  const renew = page.getByRole('button', { name: 'Show the new version' });
  await renew.click();
  await expect(banner).toContainText('It could not be opened: The disk is on fire.');
  await expect(banner).toContainText('This file has changed on the server');
  answer = { status: 503, title: 'Too much to do' };
  await renew.click();
  await expect(banner).toContainText('It could not be opened: Too much to do; it is tried again.');
  // It is, by itself.
  answer = undefined;
  await expect(banner).toHaveCount(0);
  expect((await grid.loaded())[0]!.text).toContain('changed!');
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('what is wrong is told in lines, not in a column of words', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    const path = join(folder, 'core');
    writeFile(path, 3 * pageSize);
    const grid = new Grid(page);
    await grid.open('core');
    overwrite(path, Buffer.from('changed!'), 0);
    await expectBanner(page, 'This file has changed on the server');
    const text = (await page.getByRole('alert').getByRole('paragraph').boundingBox())!;
    expect(text.width).toBeGreaterThan(300);
    for (const name of ['Show the new version', 'Follow'])
      await expect(page.getByRole('alert').getByRole('button', { name })).toBeInViewport({ ratio: 1 });
  });
});

test('a file that is removed stays on screen, and is found when it is back', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'core');
  writeFile(path, 3 * pageSize);
  const grid = new Grid(page);
  await grid.open('core');
  await grid.goto('64KiB');
  const rows = await grid.loaded();
  renameSync(path, `${path}.away`);
  await expectBanner(page, 'This file is gone from the server');
  // The banner takes the room of some rows; the others are as they were.
  const left = await grid.rows();
  expect(left.length).toBeGreaterThan(10);
  expect(left).toEqual(rows.slice(0, left.length));
  await page.getByRole('button', { name: 'Look again' }).click();
  await expect(page.getByRole('alert')).toContainText('This file is gone');
  renameSync(`${path}.away`, path);
  await expect(async () => {
    const again = page.getByRole('button', { name: 'Look again' });
    if (await again.isVisible()) await again.click({ timeout: 2000 });
    await expect(page.getByRole('alert')).toHaveCount(0, { timeout: 1000 });
  }).toPass();
  expect(await grid.loaded()).toEqual(rows);
});

test('the server goes away and comes back: no place is lost, nothing has to be done', async ({
  folder,
  page,
  daemon,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto('2^35+7');
  for (let step = 0; step < 5; ++step) await page.keyboard.press('Shift+ArrowRight');
  await grid.expectBytesOf(file);
  await daemon.kill();

  // What is there stays; what is not says that it waits.
  await grid.expectBytesOf(file);
  await grid.goto('2^36+9');
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached');
  await expect(page.getByRole('alert')).toContainText('Your place is kept');
  await expect.poll(async () => (await grid.rows()).every(({ note }) => note === 'Waiting for the server')).toBe(true);
  const top = await grid.get('top');

  // It asks less and less often, and at once when told to.
  await expect(page.getByRole('alert')).toContainText(/again in [5-8] s/, { timeout: 60_000 });
  await daemon.run();
  await page.getByRole('button', { name: 'Try now' }).click();
  expect(await grid.expectBytesOf(file)).toBe(top);
  await expect(page.getByRole('alert')).toHaveCount(0);
  expect(await grid.get('cursor')).toBe(2 ** 36 + 9);

  // And once more without a hand: it asks by itself.
  await daemon.kill();
  await grid.goto('2^32');
  await expect(page.getByRole('alert')).toBeVisible();
  await daemon.run();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await grid.expectBytesOf(file);
  await page.keyboard.press('[');
  await page.keyboard.press('[');
  await expect.poll(() => grid.get('selection')).toEqual({ offset: 2 ** 35 + 7, length: 6 });
  await grid.expectBytesOf(file);
});

test('a busy server is given the time that it asks for', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  const file = new SparseFile(join(folder, 'disk.img'));
  let refusals = 0;
  await page.route('**/files/disk.img', async (route) => {
    if (firstByte(route.request().headers()['range']) !== 2 ** 40 || refusals > 0) return route.continue();
    ++refusals;
    return route.fulfill({ ...problem(503, 'Too many reads at once'), headers: { 'Retry-After': '2' } });
  });
  const grid = new Grid(page);
  await grid.open('disk.img');
  const asked: number[] = [];
  page.on('request', (request) => {
    if (firstByte(request.headers()['range']) === 2 ** 40) asked.push(Date.now());
  });
  await grid.goto('2^40');
  await expect(page.getByRole('alert')).toContainText('Too many reads at once');
  await grid.expectBytesOf(file);
  expect(asked).toHaveLength(2);
  // Without being asked for 2 s it would come back after half a second.
  expect(asked[1]! - asked[0]!).toBeGreaterThanOrEqual(1500);
});

test('there is no such file, then there is', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  await page.goto('/view/sub/later.bin');
  await expect(page.getByRole('alert')).toContainText('There is no such file');
  writeFile(join(folder, 'sub', 'later.bin'), 100);
  await page.getByRole('button', { name: 'Try again' }).click();
  const grid = new Grid(page);
  expect((await grid.loaded()).flatMap(({ bytes }) => bytes)).toEqual([...contents(0, 100)]);
});

test('an empty file says so, and shows what is written to it', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  const path = join(folder, 'empty');
  writeFileSync(path, '');
  await page.goto('/view/empty');
  await expect(page.getByRole('heading', { name: 'This file is empty' })).toBeVisible();
  await expect(page.getByRole('grid')).toBeHidden();
  appendFileSync(path, 'first words');
  await expectBanner(page, 'This file has changed on the server');
  await page.getByRole('button', { name: 'Show the new version' }).click();
  const grid = new Grid(page);
  expect((await grid.loaded())[0]!.text).toBe('first words');
});

test('a list that cannot be read says so and comes by itself', async ({ folder, page, daemon, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  writeFile(join(folder, 'sub', 'a.bin'), 10);
  await page.goto('/');
  await expect(page.getByRole('link', { name: 'sub/' })).toBeVisible();
  await daemon.kill();
  await page.getByRole('link', { name: 'sub/' }).click();
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached');
  await daemon.run();
  await expect(page.getByRole('link', { name: 'a.bin' })).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
  rmSync(join(folder, 'sub'), { recursive: true });
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('There is no such directory');
});
