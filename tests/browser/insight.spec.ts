/** What a file is like as a whole: the map, its holes, digests, strings, and what becomes of it while it is looked at. */

import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { HexView } from '../../server/web/src/hex_view/hex_view';
import { violations } from './axe';
import { contents, landmarks, overwrite, pageSize, SparseFile, writeFile } from './files';
import { expect, networkErrors, type Page, test } from './fixtures';
import { Grid } from './grid';
import { inkedRows, mapped } from './map';

const tebibyte = 2 ** 40;
const island = 3 * pageSize;

/** A terabyte of nothing with three islands. */
function sparseTebibyte(path: string): { at: number; bytes: Buffer }[] {
  const islands = [
    { at: 2 ** 38, bytes: Buffer.alloc(island, 'some text that is here. ') },
    { at: 2 ** 39 + 2 ** 29, bytes: randomBytes(island) },
    { at: tebibyte - pageSize, bytes: contents(tebibyte - pageSize, pageSize) },
  ];
  const file = openSync(path, 'w');
  ftruncateSync(file, tebibyte);
  for (const { at, bytes } of islands) writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
  return islands;
}

/** Refuses a kind of scan, and asks to come back after some seconds, until `let`. Gives when each was asked for. */
async function busy(page: Page, kind: string, seconds: number): Promise<{ asked: number[]; let: () => void }> {
  const state = { asked: [] as number[], let: (): void => undefined };
  let refusing = true;
  state.let = () => (refusing = false);
  await page.route(new RegExp(`/${kind}\\?`), async (route) => {
    state.asked.push(performance.now());
    if (refusing) await route.fulfill({ status: 429, headers: { 'Retry-After': String(seconds) }, body: '' });
    else await route.continue();
  });
  return state;
}

test.describe('of a sparse terabyte', () => {
  test('the map shows where data is, tells what it is, and leads there', async ({ folder, page }) => {
    const islands = sparseTebibyte(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    await page.keyboard.press('Shift+ArrowRight');
    expect(await mapped(page)).toContain('3 stretches of data');
    const rows = await inkedRows(page);
    for (const { at } of islands)
      expect(
        rows.some((row) => Math.abs(row - at / tebibyte) < 0.003),
        `ink at ${at}`,
      ).toBe(true);
    for (const row of rows) expect(islands.some(({ at }) => Math.abs(row - at / tebibyte) < 0.006)).toBe(true);

    const box = (await page.locator('[slot=map] canvas').boundingBox())!;
    const [text, random] = islands;
    const place = (at: number): number => box.y + Math.floor((at / tebibyte) * box.height) + 0.5;
    await page.mouse.move(box.x + 8, place(text!.at));
    await expect(page.locator('[slot=map]')).toContainText(/Text 100 %.*entropy \d.*partly a hole/);
    await page.mouse.click(box.x + 8, place(text!.at));
    await expect.poll(() => grid.get('top')).toBe(text!.at);
    expect((await grid.loaded())[0]!.text).toBe('some text that i');
    // The selection is where it was.
    expect(await grid.get('selection')).toEqual({ offset: 0, length: 2 });

    await page.mouse.click(box.x + 8, place(random!.at));
    await expect.poll(() => grid.get('top')).toBe(random!.at);
    expect((await grid.loaded())[0]!.bytes).toEqual([...random!.bytes.subarray(0, 16)]);
    // Where there is nothing, a click goes to where it says.
    await page.mouse.click(box.x + 8, box.y + box.height * 0.75);
    await expect.poll(async () => Math.abs((await grid.get('top')) / tebibyte - 0.75)).toBeLessThan(0.005);
    await page.mouse.move(200, 300);
    await expect(page.locator('[slot=map] .bubble')).toHaveCount(0);
  });

  test('holes are told apart from stored zeros, never asked for, and passed over', async ({ folder, page }) => {
    const islands = sparseTebibyte(join(folder, 'disk.img'));
    const asked: number[] = [];
    page.on('request', (request) => {
      const from = /bytes=(\d+)-/.exec(request.headers()['range'] ?? '')?.[1];
      if (from !== undefined) asked.push(Number(from));
    });
    const grid = new Grid(page);
    await grid.open('disk.img');
    const band = page.getByText(/^Hole: 256 GiB without data, next data at 0x4000000000$/);
    await expect(band).toBeVisible();
    await expect(grid.view.locator('.row.hollow')).toHaveCount((await grid.rows()).length);

    await grid.element.focus();
    for (const { at, bytes } of islands) {
      await page.keyboard.press('d');
      await expect.poll(() => grid.get('cursor')).toBe(at);
      await expect
        .poll(async () => (await grid.rows()).find(({ address }) => address === at)?.bytes)
        .toEqual([...bytes.subarray(0, 16)]);
    }
    await page.keyboard.press('d');
    await expect(page.getByText('No more data beyond a hole')).toBeVisible();
    await page.keyboard.press('D');
    await expect.poll(() => grid.get('cursor')).toBe(islands[1]!.at);
    await page.keyboard.press('[');
    await expect.poll(() => grid.get('cursor')).toBe(islands[2]!.at);

    // Rows of a hole are rows: a step of the wheel is a step of rows.
    asked.length = 0;
    await grid.goto('2^37');
    const top = await grid.get('top');
    await grid.wheel(5);
    expect(((await grid.get('top')) - top) % 80).toBe(0);
    expect(await grid.get('top')).toBeGreaterThan(top);
    for (const row of await grid.loaded()) expect(row.bytes).toEqual(new Array(16).fill(0));
    expect(asked).toEqual([]);
    await page.getByRole('button', { name: 'Next data' }).click();
    await expect.poll(() => grid.get('cursor')).toBe(islands[0]!.at);
  });

  test('a mouse and keys find every byte of the map in words', async ({ folder, page }) => {
    sparseTebibyte(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    await page.getByRole('tab', { name: 'Inspect' }).focus();
    await page.keyboard.press('ArrowLeft');
    await expect(page.getByRole('tab', { name: 'Map' })).toBeFocused();
    const panel = page.getByRole('tabpanel', { name: 'Map' });
    await expect(panel.getByRole('listitem')).toHaveCount(9);
    await expect(panel).toContainText('Hole: nothing is stored');
    await panel.getByRole('button', { name: 'Next data' }).click();
    await expect(panel).toContainText('Text 100 %');
  });
});

test('a file without holes is counted whole, class by class', async ({ folder, page }) => {
  const part = 1024 * 1024;
  const parts = [Buffer.alloc(part, 'text. '), randomBytes(part), Buffer.alloc(part, 1), Buffer.alloc(part, 255)];
  writeFileSync(join(folder, 'parts'), Buffer.concat(parts));
  const grid = new Grid(page);
  await grid.open('parts');
  expect(await mapped(page)).toBe('Every byte that is stored was counted.');
  const box = (await page.locator('[slot=map] canvas').boundingBox())!;
  const bubble = page.locator('[slot=map] .bubble');
  for (const [at, what] of [
    [0.125, /Text 100 %/],
    [0.375, /0x80 and above \d+ %.*entropy (8\.0|7\.9)/],
    [0.625, /Control 100 %.*entropy 0\.0/],
    [0.875, /0xff 100 %/],
  ] as const) {
    await page.mouse.move(box.x + 8, box.y + box.height * at);
    await expect(bubble).toContainText(what);
    await expect(bubble).toContainText('exact');
  }
});

test('a server that is busy leaves a plain track, says so, and is asked again', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  writeFile(join(folder, 'file'), 10 * pageSize);
  let busy = true;
  await page.route(/\/map\?/, (route) =>
    busy
      ? route.fulfill({
          status: 429,
          contentType: 'application/problem+json',
          headers: { 'Retry-After': '1' },
          body: JSON.stringify({
            title: 'Too many scans are running',
            status: 429,
          }),
        })
      : route.continue(),
  );
  const grid = new Grid(page);
  await grid.open('file');
  await grid.loaded();
  await page.getByRole('tab', { name: 'Map' }).click();
  await expect(page.getByText('Taking samples… Too many scans are running.')).toBeVisible();
  await expect(page.getByText('There is no map. Too many scans are running.')).toBeVisible();
  expect(await inkedRows(page)).toEqual([]);
  await expect(page.getByRole('alert')).toHaveCount(0);
  busy = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect.poll(async () => (await inkedRows(page)).length).toBeGreaterThan(100);
});

test('a window made a little higher has its map drawn anew, not asked for anew', async ({ folder, page }) => {
  writeFile(join(folder, 'file'), 10 * pageSize);
  let asked = 0;
  page.on('request', (request) => (asked += request.url().includes('/map?') ? 1 : 0));
  const grid = new Grid(page);
  await grid.open('file');
  await mapped(page);
  const before = asked;
  const height = (): Promise<number> =>
    page.locator('[slot=map] canvas').evaluate((canvas) => (canvas as HTMLCanvasElement).height);
  const drawn = await height();
  await page.setViewportSize({ width: 1280, height: 850 });
  await expect.poll(height).toBeGreaterThan(drawn);
  await expect.poll(async () => (await inkedRows(page)).length).toBeGreaterThan(drawn);
  expect(asked).toBe(before);
});

test('leaving a file ends what was asked about it', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(networkErrors);
  writeFile(join(folder, 'file'), 10 * pageSize);
  const ended: string[] = [];
  page.on('requestfailed', (request) => ended.push(new URL(request.url()).pathname));
  await page.route(/\/map\?/, () => undefined);
  const grid = new Grid(page);
  const asked = page.waitForRequest(/\/map\?/);
  const watched = page.waitForResponse(/\/watch\?/);
  await grid.open('file');
  await Promise.all([asked, watched]);
  await page.getByRole('link', { name: 'Files' }).click();
  await expect(page.getByRole('link', { name: 'file', exact: true })).toBeVisible();
  await expect.poll(() => ended).toEqual(expect.arrayContaining(['/map', '/watch']));
});

test.describe('digests', () => {
  test('of the selection and of the whole file, copied and compared', async ({ folder, page }) => {
    writeFile(join(folder, 'file'), 5 * pageSize + 77);
    const grid = new Grid(page);
    await grid.open('file', '#select=0x1234+100000');
    await grid.element.focus();
    await page.keyboard.press('x');
    const panel = page.getByRole('tabpanel', { name: 'Digest' });
    const digest = panel.locator('[data-digest]');
    const selected = contents(0x1234, 100_000);
    for (const [label, algorithm] of [
      ['SHA-256', 'sha256'],
      ['SHA-1', 'sha1'],
      ['MD5', 'md5'],
      ['BLAKE2b', 'blake2b512'],
    ] as const) {
      await panel.getByLabel('Algorithm').selectOption({ label });
      await panel.getByRole('button', { name: 'Compute' }).click();
      await expect(digest).toHaveText(createHash(algorithm).update(selected).digest('hex'));
    }
    // The check values of CRC-32C and XXH3 are others' work; here it is their length that counts.
    for (const [label, digits] of [
      ['CRC32C', 8],
      ['XXH3', 16],
    ] as const) {
      await panel.getByLabel('Algorithm').selectOption({ label });
      await panel.getByRole('button', { name: 'Compute' }).click();
      await expect(digest).toHaveText(new RegExp(`^[0-9a-f]{${digits}}$`));
    }

    await grid.element.focus();
    await page.keyboard.press('Escape');
    await panel.getByLabel('Algorithm').selectOption({ label: 'SHA-256' });
    await panel.getByRole('button', { name: 'Compute' }).click();
    const whole = createHash('sha256').update(contents(0, 5 * pageSize + 77));
    const value = whole.digest('hex');
    await expect(digest).toHaveText(value);
    await panel.getByRole('button', { name: 'Copy' }).click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(value);
    const other = panel.getByLabel('Compare with');
    await other.fill(`SHA256 (file) = ${value.toUpperCase()}`);
    await expect(panel).toContainText('They are the same');
    await other.fill(`${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}`);
    await expect(panel).toContainText('They differ');
    await other.fill(createHash('md5').update('x').digest('hex'));
    await expect(panel).toContainText('it could be a MD5');
    expect(await violations(page)).toEqual([]);
  });

  test('of a terabyte shows how far it is and can be stopped', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    sparseTebibyte(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    await page.getByRole('tab', { name: 'Digest' }).click();
    const panel = page.getByRole('tabpanel', { name: 'Digest' });
    await panel.getByRole('button', { name: 'Compute' }).click();
    await expect(panel).toContainText(/of 1 TiB, [^,]*\/s,\s+\S+ \S+ left/);
    await panel.getByRole('button', { name: 'Stop' }).click();
    await expect(panel.getByRole('status')).toHaveText('Stopped');
    await expect(panel.getByRole('button', { name: 'Compute' })).toBeVisible();
  });

  test.describe('of a server that is busy', () => {
    test('is waited for as long as it asks for, and goes on', async ({ folder, page, expectedErrors }) => {
      expectedErrors.push(networkErrors);
      writeFile(join(folder, 'file'), 100);
      const { asked, let: permit } = await busy(page, 'digest', 2);
      const grid = new Grid(page);
      await grid.open('file');
      await page.getByRole('tab', { name: 'Digest' }).click();
      const panel = page.getByRole('tabpanel', { name: 'Digest' });
      await panel.getByRole('button', { name: 'Compute' }).click();
      await expect(panel.getByRole('status')).toHaveText('The server answered 429.');
      await expect(panel).toContainText(/Trying again in [12] s\./);
      expect(await violations(page)).toEqual([]);
      permit();
      await expect(panel.locator('[data-digest]')).toHaveText(
        createHash('sha256').update(contents(0, 100)).digest('hex'),
      );
      await expect(panel).not.toContainText('Trying again');
      expect(asked.length).toBeGreaterThanOrEqual(2);
      // Timers and clocks of two processes: not to the millisecond.
      for (let at = 1; at < asked.length; ++at) expect(asked[at]! - asked[at - 1]!).toBeGreaterThan(1900);
    });

    test('need not be waited for', async ({ folder, page, expectedErrors }) => {
      expectedErrors.push(networkErrors);
      writeFile(join(folder, 'file'), 100);
      const { asked, let: permit } = await busy(page, 'digest', 3000);
      const grid = new Grid(page);
      await grid.open('file');
      await page.getByRole('tab', { name: 'Digest' }).click();
      const panel = page.getByRole('tabpanel', { name: 'Digest' });
      await panel.getByRole('button', { name: 'Compute' }).click();
      await expect(panel).toContainText(/Trying again in \d+ s\./);
      await panel.getByRole('button', { name: 'Stop' }).click();
      await expect(panel.getByRole('status')).toHaveText('Stopped');
      await expect(panel).not.toContainText('Trying again');
      expect(asked.length).toBe(1);
      await panel.getByRole('button', { name: 'Compute' }).click();
      await expect(panel).toContainText(/Trying again in \d+ s\./);
      expect(asked.length).toBe(2);
      permit();
      await panel.getByRole('button', { name: 'Try now' }).click();
      await expect(panel.locator('[data-digest]')).toHaveText(
        createHash('sha256').update(contents(0, 100)).digest('hex'),
      );
    });
  });
});

test.describe('strings', () => {
  test('are found, filtered, and gone to, in a list of few nodes', async ({ folder, page }) => {
    const count = 30_000;
    const lines = Array.from({ length: count }, (_, at) => `string number ${at}\0\x01`);
    const wide = Buffer.from('wide words', 'utf16le');
    const ascii = Buffer.from(lines.join(''), 'latin1');
    writeFileSync(join(folder, 'file'), Buffer.concat([ascii, Buffer.alloc(64, 1), wide, Buffer.alloc(2)]));
    const grid = new Grid(page);
    await grid.open('file');
    await grid.element.focus();
    await page.keyboard.press('s');
    const panel = page.getByRole('tabpanel', { name: 'Strings' });
    const list = panel.getByRole('listbox', { name: 'Strings' });
    await panel.getByLabel('At least').fill('6');
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await expect(panel).toContainText(/20.000 of 20.000 shown/);
    expect(await list.getByRole('option').count()).toBeLessThan(60);
    await list.focus();
    await page.keyboard.press('End');
    await expect(list.getByRole('option', { name: 'string number 19999' })).toBeVisible();
    expect(await list.getByRole('option').count()).toBeLessThan(60);
    expect(await violations(page)).toEqual([]);

    // What there was no room for comes next.
    await panel.getByRole('button', { name: 'Continue' }).click();
    await expect(panel).toContainText('The end was reached');
    await expect(list.getByRole('option').first()).toContainText('string number 20000');
    await expect(panel).toContainText(/10.001 of 10.001 shown/);

    // A filter begins anew, since what was dropped may pass it.
    await panel.getByRole('searchbox').fill('NUMBER 123');
    await expect(panel).toContainText(/111 of 30.00[01] shown/);
    // One that lets through less shows at once what is there.
    await panel.getByRole('searchbox').fill('number 12345');
    await expect(panel).toContainText(/1 of 30.00[01] shown/);
    await list.getByRole('option', { name: /number 12345$/ }).click();
    const offset = ascii.indexOf('string number 12345\0');
    await expect.poll(() => grid.get('selection')).toEqual({ offset, length: 'string number 12345'.length });
    await panel.getByRole('searchbox').fill('wide');
    await expect(list.getByRole('option')).toContainText(['wide words']);
    await list.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await expect.poll(() => grid.get('selection')).toEqual({ offset: ascii.length + 64, length: wide.length });
    await panel.getByLabel('in', { exact: true }).selectOption('ASCII');
    await expect(panel).toContainText('0 of');
    await list.focus();
    await page.keyboard.press('Escape');
    await expect(grid.element).toBeFocused();
  });

  test('of a server that is busy are waited for, or not', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    writeFileSync(join(folder, 'file'), 'first one\0second one\0');
    const { asked, let: permit } = await busy(page, 'strings', 3000);
    const grid = new Grid(page);
    await grid.open('file');
    await page.keyboard.press('s');
    const panel = page.getByRole('tabpanel', { name: 'Strings' });
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await expect(panel).toContainText('The server answered 429.');
    await expect(panel).toContainText(/Trying again in \d+ s\./);
    await expect(panel).not.toContainText('The end was reached');
    expect(await violations(page)).toEqual([]);
    await panel.getByRole('button', { name: 'Stop' }).click();
    await expect(panel).toContainText('Stopped');
    await expect(panel).not.toContainText('Trying again');
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await expect(panel).toContainText(/Trying again in \d+ s\./);
    expect(asked.length).toBe(2);
    permit();
    await panel.getByRole('button', { name: 'Try now' }).click();
    await expect(panel.getByRole('listbox').getByRole('option')).toHaveCount(2);
    await expect(panel).toContainText('The end was reached');
    await expect(panel).not.toContainText('429');
  });

  test('that were clicked are gone on from by keys, one at a time', async ({ folder, page }) => {
    writeFileSync(join(folder, 'file'), 'first one\0second one\0third one\0');
    const grid = new Grid(page);
    await grid.open('file');
    await page.keyboard.press('s');
    const panel = page.getByRole('tabpanel', { name: 'Strings' });
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await panel.getByRole('option', { name: 'first one' }).click();
    await expect.poll(() => grid.get('selection')).toEqual({ offset: 0, length: 9 });
    await page.keyboard.press('ArrowDown');
    await expect(panel.getByRole('listbox').getByRole('option', { selected: true })).toContainText('second one');
    await page.keyboard.press('Enter');
    await expect.poll(() => grid.get('selection')).toEqual({ offset: 10, length: 10 });
  });

  test('under another filter begin anew, which is not told as a stop', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    writeFileSync(join(folder, 'file'), 'first one\0second one\0third one\0');
    const grid = new Grid(page);
    await grid.open('file');
    await page.keyboard.press('s');
    const panel = page.getByRole('tabpanel', { name: 'Strings' });
    await page.route(/\/strings\?/, () => undefined);
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await expect(panel).toContainText('Reading…');
    const ended = page.waitForEvent('requestfailed', (request) => request.url().includes('/strings?'));
    await panel.getByRole('searchbox').fill('second');
    await ended;
    await grid.frame();
    await expect(panel).toContainText('Reading…');
    await expect(panel).not.toContainText('Stopped');
  });

  test('of a selection are those in it; a long search is stopped and goes on', async ({
    folder,
    page,
    expectedErrors,
  }) => {
    expectedErrors.push(networkErrors);
    writeFileSync(join(folder, 'file'), 'first one\0second one\0third one\0');
    const grid = new Grid(page);
    await grid.open('file', '#select=10+10');
    await page.getByRole('tab', { name: 'Strings' }).click();
    const panel = page.getByRole('tabpanel', { name: 'Strings' });
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await expect(panel.getByRole('listbox').getByRole('option')).toHaveText([/0xa\s*second one/]);

    // A server that tells of one string and then of nothing more.
    let asked = 0;
    const offsets: string[] = [];
    await page.route(/\/strings\?/, async (route) => {
      offsets.push(new URL(route.request().url()).searchParams.get('offset')!);
      if (++asked > 1) await route.continue();
    });
    await panel.getByRole('button', { name: 'Find strings' }).click();
    await expect(panel).toContainText('Reading…');
    await panel.getByRole('button', { name: 'Stop' }).click();
    await expect(panel).toContainText('Stopped');
    await panel.getByRole('button', { name: 'Continue' }).click();
    await expect(panel.getByRole('listbox').getByRole('option')).toHaveText([/0xa\s*second one/]);
    expect(offsets).toEqual(['10', '10']);
  });
});

test.describe('a file that changes', () => {
  /** The tab was looked at long enough for its watch to be there. */
  async function watched(page: Page, grid: Grid, path: string): Promise<void> {
    const there = page.waitForResponse(/\/watch\?/);
    await grid.open(path);
    await there;
    // Questions are left to the watch: nobody else will tell.
    await page.route('**/files/**', (route) =>
      route.request().method() === 'HEAD' ? route.abort() : route.continue(),
    );
  }

  test('what is told late of an older version is taken back', async ({ folder, page, daemon }) => {
    writeFile(join(folder, 'file'), 5 * pageSize);
    const { etag } = (await page.request.get(`${daemon.address}/info?file=file`).then((answer) => answer.json())) as {
      etag: string;
    };
    const event = (version: string): string =>
      `event: version\ndata: ${JSON.stringify({ file: 'file', size: 7, etag: version })}\n\n`;
    let told = 0;
    let takeBack = (): void => undefined;
    const seen = new Promise<void>((resolve) => (takeBack = resolve));
    await page.route(/\/watch\?/, async (route) => {
      // The browser asks again by itself when an answer has ended.
      if (++told > 1) await seen;
      await route.fulfill({
        contentType: 'text/event-stream',
        body: `retry: 100\n\n${event(told === 1 ? '"older"' : etag)}`,
      });
    });
    const grid = new Grid(page);
    await grid.open('file');
    await expect(page.getByRole('alert')).toContainText('This file has changed on the server');
    takeBack();
    await expect(page.getByRole('alert')).toHaveCount(0);
    await grid.goto('0x44440');
    await grid.loaded();
  });

  test('by growing says by how much, and is followed at its end', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    const path = join(folder, 'log');
    const line = (at: number): string => `line ${String(at).padStart(10, '0')}\n`;
    writeFileSync(path, Array.from({ length: 1000 }, (_, at) => line(at)).join(''));
    const grid = new Grid(page);
    await watched(page, grid, 'log');
    appendFileSync(path, line(1000));
    await expect(page.getByRole('alert')).toContainText('it grew by 16 bytes');
    await page.getByRole('alert').getByRole('button', { name: 'Follow' }).click();
    await expect(page.getByRole('alert')).toHaveCount(0);
    const lastText = async (): Promise<string> => (await grid.rows()).at(-1)?.text ?? '';
    await expect.poll(lastText).toBe('line 0000001000•');
    await expect(page.getByRole('button', { name: 'Follow', exact: true })).toHaveAttribute('aria-pressed', 'true');
    for (let at = 1001; at < 1004; ++at) {
      appendFileSync(path, line(at));
      await expect.poll(lastText).toBe(line(at).replace('\n', '•'));
      await expect(page.getByRole('alert')).toHaveCount(0);
    }
    // Whoever looks elsewhere is left there.
    await grid.goto('0x100');
    const top = await grid.get('top');
    appendFileSync(path, line(1004));
    await expect.poll(() => grid.view.evaluate((view) => (view as HexView).source!.size)).toBe(1005 * 16);
    expect(await grid.get('top')).toBe(top);
    expect(await grid.get('cursor')).toBe(0x100);
    await page.keyboard.press('f');
    await expect(page.getByText('Following')).toHaveCount(0);
    appendFileSync(path, line(1005));
    await expect(page.getByRole('alert')).toContainText('it grew by 16 bytes');
  });

  test('in place has its changed bytes marked', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    const path = join(folder, 'file');
    writeFile(path, 3 * pageSize);
    const grid = new Grid(page);
    await watched(page, grid, 'file');
    await grid.goto('0x10020');
    const top = await grid.get('top');
    const before = await grid.loaded();
    const changed = [0x10024, 0x10025, 0x10033];
    for (const at of changed) overwrite(path, Buffer.of(0), at);
    await expect(page.getByRole('alert')).toContainText('written to, with the same size');
    await page.getByRole('button', { name: 'Show the new version' }).click();
    await expect(page.getByRole('alert')).toHaveCount(0);
    await expect
      .poll(() =>
        grid.view.evaluate((view, columns) => {
          const rows = [...view.shadowRoot!.querySelectorAll<HTMLElement>('.rows > .row')];
          return rows.flatMap((row) => {
            const address = parseInt(row.querySelector('[role=rowheader]')!.textContent, 16);
            return [...row.querySelectorAll('.byte')]
              .map((cell, at) => (cell.classList.contains('changed') ? address + at : -1))
              .slice(0, columns)
              .filter((offset) => offset >= 0);
          });
        }, 16),
      )
      .toEqual(changed);
    await expect(grid.view.locator('[aria-description=changed]')).toHaveCount(changed.length);
    expect(await grid.get('top')).toBe(top);
    const after = await grid.rows();
    expect(after.length).toBeGreaterThanOrEqual(before.length - 3);
    expect(await violations(page)).toEqual([]);
  });

  test('by being replaced, cut off, removed and put back is told each time', async ({
    folder,
    page,
    expectedErrors,
  }) => {
    expectedErrors.push(networkErrors);
    const path = join(folder, 'file');
    writeFile(path, 4 * pageSize);
    const grid = new Grid(page);
    await watched(page, grid, 'file');
    await grid.goto('0x100');
    writeFile(`${path}.new`, 4 * pageSize, 7);
    renameSync(`${path}.new`, path);
    await expect(page.getByRole('alert')).toContainText('it was replaced or written to');
    await page.getByRole('button', { name: 'Show the new version' }).click();
    await expect(page.getByRole('alert')).toHaveCount(0);
    expect((await grid.loaded())[0]!.bytes).toEqual([...contents((await grid.get('top')) + 7, 16)]);

    truncateSync(path, pageSize);
    await expect(page.getByRole('alert')).toContainText('it shrank by 192 KiB');
    await page.getByRole('button', { name: 'Show the new version' }).click();
    await expect(page.getByRole('alert')).toHaveCount(0);
    expect(await grid.get('cursor')).toBe(0x100);

    renameSync(path, `${path}.away`);
    await expect(page.getByRole('alert')).toContainText('This file is gone');
    renameSync(`${path}.away`, path);
    // By itself: renaming changes the time of its state, so that it may count as another version.
    await expect(page.getByRole('alert')).not.toContainText('This file is gone', { timeout: 60_000 });
    rmSync(path);
    await expect(page.getByRole('alert')).toContainText('This file is gone', {
      timeout: 60_000,
    });
    expect(await grid.get('cursor')).toBe(0x100);
  });

  test('while the server was away is told when it is back', async ({ folder, page, daemon, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    const path = join(folder, 'file');
    writeFile(path, 4 * pageSize);
    const grid = new Grid(page);
    await watched(page, grid, 'file');
    await daemon.kill();
    appendFileSync(path, 'more');
    await daemon.run();
    await expect(page.getByRole('alert')).toContainText('it grew by 4 bytes', {
      timeout: 60_000,
    });
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme} colours`, () => {
    test.use({ colorScheme });

    test('axe finds nothing in any panel, with the map and a hole in view', async ({ folder, page }) => {
      sparseTebibyte(join(folder, 'disk.img'));
      const grid = new Grid(page);
      await grid.open('disk.img');
      await expect(page.getByRole('button', { name: 'Next data' })).toBeVisible();
      expect(await violations(page)).toEqual([]);
      await mapped(page);
      expect(await violations(page)).toEqual([]);
      for (const tab of ['Strings', 'Digest', 'Inspect']) {
        await page.getByRole('tab', { name: tab }).click();
        await expect(page.getByRole('tabpanel', { name: tab }).getByRole('button').first()).toBeVisible();
        expect(await violations(page)).toEqual([]);
      }
    });
  });
}

test.describe('on a phone, 390 pixels wide', () => {
  test.use({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    deviceScaleFactor: 2,
  });

  test('map, holes and panels fit and work by finger', async ({ folder, page }) => {
    const islands = sparseTebibyte(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img');
    const fits = async (): Promise<void> =>
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await fits();
    await page.getByRole('button', { name: 'Next data' }).tap();
    await expect.poll(() => grid.get('cursor')).toBe(islands[0]!.at);
    await page.getByRole('button', { name: 'Side panel' }).tap();
    await page.getByRole('tab', { name: 'Strings' }).tap();
    const panel = page.getByRole('tabpanel', { name: 'Strings' });
    await panel.getByRole('button', { name: 'Find strings' }).tap();
    await expect(panel.getByRole('listbox').getByRole('option').first()).toContainText('some text that is here.');
    await fits();
    await panel.getByRole('listbox').getByRole('option').first().tap();
    await expect.poll(() => grid.get('selection')).toMatchObject({ offset: islands[0]!.at });
    await page.getByRole('tab', { name: 'Digest' }).tap();
    await expect(page.getByRole('button', { name: 'Compute' })).toBeInViewport();
    await page.getByRole('tab', { name: 'Map' }).tap();
    await expect(page.getByRole('tabpanel')).toContainText('3 stretches of data');
    await fits();
    expect(await violations(page)).toEqual([]);
  });

  test('a file that grows is followed by a finger', async ({ folder, page, expectedErrors }) => {
    expectedErrors.push(networkErrors);
    const path = join(folder, 'log');
    const line = (at: number): string => `${String(at).padStart(7, '0')}\n`;
    writeFileSync(path, Array.from({ length: 1000 }, (_, at) => line(at)).join(''));
    const grid = new Grid(page);
    await grid.open('log');
    await page.getByRole('button', { name: 'View options' }).tap();
    const follow = page.getByRole('checkbox', { name: 'Follow' });
    await expect(follow).toBeInViewport({ ratio: 1 });
    expect(await violations(page)).toEqual([]);
    await follow.tap();
    await expect(page.getByText('Following')).toBeVisible();
    appendFileSync(path, line(1000));
    await expect.poll(async () => (await grid.rows()).at(-1)?.text).toBe('0001000•');
    await follow.tap();
    await expect(page.getByText('Following')).toHaveCount(0);
  });
});

test('offsets where viewers broke are the same in extents as in the grid', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  for (const landmark of landmarks.slice(1)) {
    await grid.goto(`0x${(landmark - 2 * island).toString(16)}`);
    await page.keyboard.press('d');
    await expect.poll(() => grid.get('cursor')).toBe(landmark - island);
    await grid.expectBytesOf(file);
  }
});
