/** Memory and traffic that do not follow from the size of the file, nor from how long one scrolls. */

import { join } from 'node:path';
import type { HexView } from '../../server/web/src/hex_view/hex_view';
import { pageSize, SparseFile } from './files';
import { expect, networkErrors, test } from './fixtures';
import { Grid } from './grid';

const mebibyte = 1024 * 1024;

test('a long scroll leaves memory flat: pages, heap and nodes', async ({ folder, page }) => {
  test.setTimeout(180_000);
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  const client = await page.context().newCDPSession(page);
  const measure = async (): Promise<{
    heap: number;
    nodes: number;
    cached: number;
  }> => {
    await client.send('HeapProfiler.collectGarbage');
    const { metrics } = await client.send('Performance.getMetrics');
    const value = (name: string): number => metrics.find((metric) => metric.name === name)!.value;
    const cached = await grid.view.evaluate((view) => (view as HexView).source!.cachedBytes);
    return { heap: value('JSHeapUsedSize'), nodes: value('Nodes'), cached };
  };
  await client.send('Performance.enable');

  /** 280 pages each: 17.5 MiB, more than the cache holds. Waits for each page, from the row before it on. */
  const scroll = (from: number): Promise<number> =>
    grid.view.evaluate(
      async (element, [start, step]) => {
        const view = element as HexView;
        let most = 0;
        for (let page = 0; page < 280; ++page) {
          const offset = start! + page * step!;
          view.select(offset);
          view.scrollToOffset(offset - 16);
          await new Promise<void>((resolve) => {
            const stop = view.source!.subscribe(() => check());
            const check = (): void => {
              if (view.source!.state(offset / step!).kind !== 'ready') return;
              stop();
              resolve();
            };
            check();
          });
          most = Math.max(most, view.source!.cachedBytes);
        }
        return most;
      },
      [from, pageSize],
    );

  expect(await scroll(2 ** 40)).toBeLessThanOrEqual(16 * mebibyte);
  const first = await measure();
  for (const from of [2 ** 31, 2 ** 43]) expect(await scroll(from)).toBeLessThanOrEqual(16 * mebibyte);
  const second = await measure();
  expect(second.cached).toBeLessThanOrEqual(16 * mebibyte);
  expect(second.nodes).toBeLessThanOrEqual(first.nodes * 1.05 + 50);
  // The pages themselves are outside the JavaScript heap; what is inside may breathe, but not grow with the way.
  expect(second.heap - first.heap).toBeLessThan(2 * mebibyte);
  await grid.expectBytesOf(file);
});

test('no more rows in the document than are visible', async ({ folder, page }) => {
  new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  const count = (): Promise<number> => grid.view.locator('.row').count();
  for (const notches of [1, 7, -2, 30]) {
    await grid.wheel(notches);
    expect(await count()).toBe((await grid.rows()).length);
  }
  await page.setViewportSize({ width: 1000, height: 500 });
  await expect.poll(async () => (await count()) === (await grid.rows()).length).toBe(true);
  await grid.goto('end');
  expect(await count()).toBe((await grid.rows()).length);
});

test('pages that were scrolled past are aborted and never ahead of a visible one', async ({
  folder,
  page,
  expectedErrors,
}) => {
  expectedErrors.push(networkErrors);
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');

  // A server that answers nothing until it is let.
  const waiting: (() => void)[] = [];
  let held = true;
  await page.route('**/files/disk.img', async (route) => {
    if (held && route.request().headers()['range'] !== undefined)
      await new Promise<void>((resolve) => waiting.push(resolve));
    await route.continue().catch(() => undefined);
  });
  const aborted: number[] = [];
  const asked: number[] = [];
  const firstByte = (range: string | undefined): number => Number(/bytes=(\d+)-/.exec(range ?? '')?.[1]);
  page.on('request', (request) => {
    if (request.headers()['range']) asked.push(firstByte(request.headers()['range']));
  });
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText === 'net::ERR_ABORTED') aborted.push(firstByte(request.headers()['range']));
  });

  const way = [2 ** 31, 2 ** 32, 2 ** 35, 2 ** 36];
  for (const place of way) {
    await grid.goto(`0x${place.toString(16)}`);
    await expect.poll(() => asked.includes(place)).toBe(true);
    await expect(page.getByText('Reading…')).toBeVisible();
    // Loading rows are seen as such, and in place.
    expect((await grid.rows()).some((row) => row.bytes.includes(-1))).toBe(true);
  }
  await grid.goto('2^40');
  await expect.poll(() => asked.includes(2 ** 40)).toBe(true);
  await expect.poll(() => way.every((place) => aborted.includes(place))).toBe(true);
  expect(aborted).not.toContain(2 ** 40);
  const counters = await grid.view.evaluate((view) => (view as HexView).source!.counters);
  expect(counters.aborted).toBeGreaterThanOrEqual(way.length);

  held = false;
  for (const proceed of waiting) proceed();
  await grid.expectBytesOf(file);
  const cached = await grid.view.evaluate((view, places) => {
    const source = (view as HexView).source!;
    return places.map((place) => source.state(place / 65_536).kind);
  }, way);
  expect(cached).toEqual(['absent', 'absent', 'absent', 'absent']);
});

test('a screen costs at most two pages beyond what it shows', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  const fetched = new Set<number>();
  let bytes = 0;
  page.on('request', (request) => {
    const bounds = /bytes=(\d+)-(\d+)/.exec(request.headers()['range'] ?? '');
    if (!bounds) return;
    const from = Number(bounds[1]);
    expect(fetched.has(from), `${from} was fetched twice`).toBe(false);
    fetched.add(from);
    bytes += Number(bounds[2]) - from + 1;
  });
  for (const place of [2 ** 31 - 100, 2 ** 31 + 100, 2 ** 32 - 1, 2 ** 35 + pageSize / 2, 2 ** 40 - 1, file.size - 5]) {
    bytes = 0;
    await grid.goto(`0x${place.toString(16)}`);
    const rows = await grid.loaded();
    const first = rows[0]!.address;
    const last = rows.at(-1)!.address + 15;
    const shown = (Math.floor(last / pageSize) - Math.floor(first / pageSize) + 1) * pageSize;
    expect(bytes).toBeLessThanOrEqual(shown + 2 * pageSize);
  }
  // Screen after screen, over two page edges: never more than was seen, and two.
  await grid.goto('2^36');
  await grid.loaded();
  bytes = 0;
  const from = await grid.get('cursor');
  for (let step = 0; step < 2 * 180; ++step) await page.keyboard.press('PageDown');
  await grid.expectBytesOf(file);
  const passed = (await grid.get('cursor')) - from;
  expect(passed).toBeGreaterThan(2 * pageSize);
  expect(bytes).toBeLessThanOrEqual(passed + 2 * pageSize);
});
