/** For every reader: by keyboard alone, by ear, on a phone, in the dark; and what the first load costs and may do. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { violations } from './axe';
import { SparseFile, writeFile } from './files';
import { expect, networkErrors, type Page, test } from './fixtures';
import { Grid } from './grid';
import { inkedRows } from './map';

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme} colours`, () => {
    test.use({ colorScheme });

    test('axe finds nothing, whatever is open', async ({ folder, page, expectedErrors }) => {
      test.setTimeout(180_000);
      expectedErrors.push(networkErrors);
      new SparseFile(join(folder, 'disk.img'));
      mkdirSync(join(folder, 'captures'));
      writeFileSync(join(folder, 'empty'), '');
      const clean = async (): Promise<void> => expect(await violations(page)).toEqual([]);

      await page.goto('/');
      await expect(page.getByRole('link', { name: 'disk.img' })).toBeVisible();
      await clean();
      await page.getByRole('link', { name: 'captures/' }).click();
      await expect(page.getByRole('heading', { name: 'Nothing here' })).toBeVisible();
      await clean();
      await page.goto('/view/empty');
      await expect(page.getByRole('heading', { name: 'This file is empty' })).toBeVisible();
      await clean();
      await page.goto('/view/missing');
      await expect(page.getByRole('alert')).toBeVisible();
      await clean();

      const grid = new Grid(page);
      await grid.open('disk.img', '#offset=0x10000000020&select=0x10000000020+40');
      await clean();
      await page.keyboard.press('m');
      await page.keyboard.type('a place\n');
      await expect(page.getByRole('button', { name: /a place/ }).first()).toBeVisible();
      await clean();
      await page.keyboard.press('/');
      await page.keyboard.type('7f 45');
      await clean();
      await page.keyboard.press('Escape');
      await page.keyboard.press('g');
      await page.keyboard.type('nowhere\n');
      await expect(page.locator('#goto-result .error')).toBeVisible();
      await clean();
      await page.keyboard.press('Escape');
      await page.keyboard.press('c');
      await expect(page.getByRole('menu')).toBeVisible();
      await clean();
      await page.keyboard.press('Escape');
      await grid.element.focus();
      await page.keyboard.press('?');
      await expect(page.getByRole('dialog')).toBeVisible();
      await clean();
      await page.keyboard.press('Escape');

      await page.route('**/files/disk.img', (route) => route.fulfill({ status: 500, body: '' }));
      await grid.goto('2^31');
      await expect(page.getByRole('button', { name: 'Try again' }).first()).toBeVisible();
      await clean();
      await page.unrouteAll();
      await page.route('**/files/disk.img', (route) => route.abort());
      await grid.goto('2^35');
      await expect(page.getByRole('alert')).toBeVisible();
      await clean();
    });
  });
}

test('the grid as a screen reader has it', async ({ folder, page }) => {
  writeFileSync(join(folder, 'note'), Buffer.from('Hello, grid!\n\0\xff', 'latin1'));
  const grid = new Grid(page);
  await grid.open('note', '#columns=8');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await expect(grid.element).toMatchAriaSnapshot(`
    - grid "Bytes":
      - row "Offset 00 01 02 03 04 05 06 07 Text":
        - columnheader "Offset"
        - columnheader "00"
        - columnheader "01"
        - columnheader "02"
        - columnheader "03"
        - columnheader "04"
        - columnheader "05"
        - columnheader "06"
        - columnheader "07"
        - columnheader "Text"
      - rowgroup:
        - row:
          - rowheader "00000000"
          - gridcell "48"
          - gridcell "65" [selected]
          - gridcell "6c" [selected]
          - gridcell "6c"
          - gridcell "6f"
          - gridcell "2c"
          - gridcell "20"
          - gridcell "67"
          - gridcell "Hello, g"
        - row:
          - rowheader "00000008"
          - gridcell "72"
          - gridcell "69"
          - gridcell "64"
          - gridcell "21"
          - gridcell "0a"
          - gridcell "00"
          - gridcell "ff"
          - gridcell
          - gridcell "rid!..."
  `);
  await expect(grid.element).toHaveAttribute('aria-rowcount', '3');
  await expect(grid.element).toHaveAttribute('aria-colcount', '10');
  await expect(grid.element).toHaveAttribute('aria-activedescendant', 'c0-2');
  await expect(grid.cell(0, 2)).toHaveText('6c');
  // What is spoken once the cursor rests.
  await expect(page.locator('footer [aria-live=polite]')).toHaveText('Offset 0x2, byte 6c, selected 0x1–0x2, 2 bytes');
});

test('a grid of more rows than ARIA can count says that it does not know', async ({ folder, page }) => {
  new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto('2^40');
  await expect(grid.element).toHaveAttribute('aria-rowcount', '-1');
  await expect(grid.view.getByRole('rowheader').first()).toHaveAttribute('aria-label', /^00ffffff[0-9a-f]{4}$/);
});

const focusable = 'a[href], button:not(:disabled), input:not(:disabled), select, [tabindex="0"]';

/** Where the Tab key leads, from the first thing on the page until it comes round. */
async function tabStops(page: Page): Promise<string[]> {
  const stops: string[] = [];
  await page.locator(focusable).first().focus();
  for (let at = 0; at < 200; ++at) {
    const stop = await page.evaluate(() => {
      let active = document.activeElement!;
      while (active.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
      if (active === document.body) return '';
      active.setAttribute('data-reached', '');
      return `${active.tagName} ${active.getAttribute('aria-label') ?? active.textContent.trim()}`;
    });
    if (stop === '' || (stops.length > 0 && stop === stops[0])) break;
    stops.push(stop);
    await page.keyboard.press('Tab');
  }
  return stops;
}

/** What can be clicked or typed into, and the Tab key did not reach. A radio group is one stop, and so is a list of tabs. */
const unreached = (page: Page): Promise<string[]> =>
  page.evaluate((wanted) => {
    const roots: (Document | ShadowRoot)[] = [document];
    for (const element of document.querySelectorAll('*')) if (element.shadowRoot) roots.push(element.shadowRoot);
    return roots
      .flatMap((root) => [...root.querySelectorAll<HTMLElement>(wanted)])
      .filter((element) => element.checkVisibility() && !element.hasAttribute('data-reached'))
      .filter((element) => !(element instanceof HTMLInputElement && element.type === 'radio' && !element.checked))
      .filter((element) => !element.matches('[role=tab][aria-selected=false]'))
      .map((element) => element.outerHTML.slice(0, 120));
  }, focusable);

test('everything is reached by the Tab key, and its focus is seen', async ({ folder, page }) => {
  new SparseFile(join(folder, 'disk.img'));
  await page.goto('/');
  await expect(page.getByRole('link', { name: 'disk.img' })).toBeVisible();
  expect((await tabStops(page)).length).toBeGreaterThanOrEqual(6);
  expect(await unreached(page)).toEqual([]);

  const grid = new Grid(page);
  await grid.open('disk.img');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('/');
  await grid.element.focus();
  expect((await tabStops(page)).length).toBeGreaterThan(20);
  expect(await unreached(page)).toEqual([]);
  await page.getByRole('button', { name: 'Next match' }).focus();
  await page.keyboard.press('Tab');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
  expect(outline).toBe('solid');
});

test('a whole visit without a mouse', async ({ folder, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const file = new SparseFile(join(folder, 'disk.img'));
  writeFile(join(folder, 'other.bin'), 100);
  await page.goto('/');
  await expect(page.getByRole('link', { name: 'disk.img' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const grid = new Grid(page);
  await grid.loaded();
  await expect(grid.element).toBeFocused();
  await grid.goto('2^40+0x10');
  for (let step = 0; step < 3; ++step) await page.keyboard.press('Shift+ArrowRight');
  await grid.loaded();
  await page.keyboard.press('c');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const base64 = Buffer.from(file.bytes(2 ** 40 + 16, 4)).toString('base64');
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(base64);
  await page.keyboard.press('m');
  await page.keyboard.type('four bytes');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: /four bytes/ }).first()).toBeVisible();
  await expect(grid.element).toBeFocused();
  await page.keyboard.press('e');
  await expect(page.getByRole('radio', { name: 'Big endian' })).toBeChecked();
  await page.keyboard.press('i');
  await expect(page.getByRole('complementary')).toBeHidden();
  await page.keyboard.press('i');
  await expect(page.getByRole('complementary')).toBeVisible();

  await grid.goto('0');
  await page.keyboard.press('/');
  const wanted = Buffer.from(file.bytes(2 ** 16 + 5, 9)).toString('hex');
  await page.keyboard.type(wanted.replace(/..(?=.)/g, '$& '));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'Found at' })).toBeVisible();
  const found = await grid.get('selection');
  expect(Buffer.from(file.bytes(found.offset, 9)).toString('hex')).toBe(wanted);
  await page.keyboard.press('Escape');
  await expect(grid.element).toBeFocused();
  await page.keyboard.press('[');
  await expect.poll(() => grid.get('cursor')).toBe(0);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Help' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(grid.element).toBeFocused();
});

test.describe('on a phone, 390 pixels wide', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

  const noSideways = async (page: Page): Promise<void> => {
    const { scrolled, wide } = await page.evaluate(() => ({
      scrolled: document.documentElement.scrollWidth,
      wide: window.innerWidth,
    }));
    expect(scrolled).toBeLessThanOrEqual(wide);
    expect(wide).toBe(390);
  };

  test('the list and a file fit, and every part can be used by a finger', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    writeFile(join(folder, 'a-rather-long-name-of-a-file-that-somebody-chose-without-thinking-of-phones.bin'), 10);
    await page.goto('/');
    await expect(page.getByRole('link', { name: 'disk.img' })).toBeVisible();
    await noSideways(page);
    await page.getByRole('link', { name: 'disk.img' }).tap();
    const grid = new Grid(page);
    await grid.loaded();
    await noSideways(page);
    // Eight bytes, their text and the address are on screen at once.
    expect((await grid.rows())[0]!.bytes).toHaveLength(8);
    const pane = (await grid.view.locator('.pane').boundingBox())!;
    const text = (await grid.view.locator('.row .text').first().boundingBox())!;
    expect(text.x + text.width).toBeLessThanOrEqual(pane.x + pane.width + 1);

    await page.getByRole('textbox', { name: 'Go to offset' }).tap();
    await page.keyboard.type('2^40');
    await page.keyboard.press('Enter');
    await grid.expectBytesOf(file);
    const top = await grid.get('top');
    await grid.cell(4, 5).tap();
    expect(await grid.get('cursor')).toBe(top + 4 * 8 + 5);

    // A finger drags the file along: as many rows as it moved.
    const client = await page.context().newCDPSession(page);
    const rowHeight = (await grid.view.locator('.row').first().boundingBox())!.height;
    const touch = (type: string, y?: number): Promise<unknown> =>
      client.send('Input.dispatchTouchEvent', {
        type: type as 'touchStart',
        touchPoints: y === undefined ? [] : [{ x: 200, y }],
      });
    await touch('touchStart', 600);
    for (let step = 1; step <= 10; ++step) await touch('touchMove', 600 - step * rowHeight);
    await touch('touchEnd');
    await expect.poll(() => grid.get('top')).toBeGreaterThanOrEqual(top + 9 * 8);
    expect(await grid.get('top')).toBeLessThanOrEqual(top + 11 * 8);
    await grid.expectBytesOf(file);

    // Chromium may take a tap right after a drag as part of it; a person would tap again, too.
    const encoding = page.getByLabel('Text', { exact: true });
    await expect(async () => {
      if (!(await encoding.isVisible())) await page.getByRole('button', { name: 'View options' }).tap();
      await expect(encoding).toBeVisible({ timeout: 2000 });
    }).toPass();
    await encoding.selectOption('latin-1');
    expect(await grid.get('encoding')).toBe('latin-1');
    await noSideways(page);
    await page.getByRole('button', { name: 'View options' }).tap();
    await page.getByRole('button', { name: 'Side panel' }).tap();
    await expect(page.getByRole('table', { name: /as values$/ })).toBeInViewport();
    await noSideways(page);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Close the panel' }).tap();
    await page.getByRole('button', { name: 'Copy', exact: true }).tap();
    await expect(page.getByRole('menu')).toBeInViewport({ ratio: 1 });
    await noSideways(page);
  });

  test('the panel leaves the byte in view that it tells of', async ({ folder, page }) => {
    const file = new SparseFile(join(folder, 'disk.img'));
    const grid = new Grid(page);
    await grid.open('disk.img', '#offset=0x200000000');
    const wholeRows = await grid.get('wholeRows');
    // A byte near the bottom, where the panel will be.
    await grid.cell(wholeRows - 2, 3).tap();
    const cursor = await grid.get('cursor');
    const clear = async (): Promise<void> => {
      const panel = (await page.getByRole('complementary').boundingBox())!;
      const cell = (await grid.view.locator('.byte.cursor').boundingBox())!;
      expect(cell.y + cell.height).toBeLessThanOrEqual(panel.y);
      expect((await grid.rows()).length).toBeGreaterThanOrEqual(8);
    };
    await page.getByRole('button', { name: 'Side panel' }).tap();
    await expect(page.getByRole('table', { name: /as values$/ })).toBeInViewport();
    await grid.expectBytesOf(file);
    await clear();
    expect(await grid.get('cursor')).toBe(cursor);
    await grid.element.focus();
    for (let step = 0; step < 20; ++step) {
      await page.keyboard.press('ArrowDown');
      await grid.frame();
      await clear();
    }
    await grid.goto('2^40+5');
    await grid.frame();
    await clear();
    await page.getByRole('button', { name: 'Close the panel' }).tap();
    await expect.poll(() => grid.get('wholeRows')).toBe(wholeRows);
  });
});

test('light and dark follow the system until the reader chooses', async ({ folder, page }) => {
  new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  const brightness = (): Promise<number> =>
    grid.view.evaluate((view) => {
      const canvas = document.createElement('canvas').getContext('2d')!;
      canvas.fillStyle = getComputedStyle(view).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data[1]!;
    });
  expect(await brightness()).toBeGreaterThan(230);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await brightness()).toBeLessThan(40);
  await page.getByRole('button', { name: 'Colours: as the system' }).click();
  await expect(page.getByRole('button', { name: 'Colours: light' })).toBeVisible();
  expect(await brightness()).toBeGreaterThan(230);
  await page.reload();
  await grid.loaded();
  expect(await brightness()).toBeGreaterThan(230);
  await page.getByRole('button', { name: 'Colours: light' }).click();
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await brightness()).toBeLessThan(40);
});

/** What a client without brotli gets, as it is on the wire. */
function transferred(address: string): Promise<{ bytes: number; headers: Record<string, string | undefined> }> {
  return new Promise((resolve, reject) => {
    get(address, { headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
      let bytes = 0;
      response.on('data', (data: Buffer) => (bytes += data.length));
      response.on('end', () => resolve({ bytes, headers: response.headers as Record<string, string> }));
    }).on('error', reject);
  });
}

test('the first load is at most 60 KB of gzip, from this origin alone, and kept for ever', async ({
  folder,
  page,
  daemon,
}) => {
  new SparseFile(join(folder, 'disk.img'));
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  const grid = new Grid(page);
  await grid.open('disk.img');
  expect(requests.filter((address) => !address.startsWith(`${daemon.address}/`))).toEqual([]);
  // The map is the last to come: the first view is whole.
  await expect.poll(async () => (await inkedRows(page)).length).toBeGreaterThan(0);
  const first = requests.filter((address) => /^\/(?:view|assets)\//.test(new URL(address).pathname));
  expect(first.filter((address) => address.includes('/map-')).length).toBeGreaterThan(0);
  expect(first.length).toBeGreaterThanOrEqual(6);
  let scripts = 0;
  let all = 0;
  for (const address of first) {
    const { bytes, headers } = await transferred(address);
    all += bytes;
    if (/\.(js|css)$/.test(address)) {
      scripts += bytes;
      expect(headers['content-encoding']).toBe('gzip');
      expect(headers['cache-control']).toContain('immutable');
    }
  }
  expect(scripts).toBeGreaterThan(10_000);
  expect(all).toBeLessThanOrEqual(60_000);
});

test('the policy allows no inline script or style, and is obeyed', async ({ page, daemon, expectedErrors }) => {
  expectedErrors.push(/Content Security Policy|TrustedScript/);
  const response = (await page.goto('/'))!;
  const policy = response.headers()['content-security-policy']!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("style-src 'self'");
  expect(policy).not.toMatch(/unsafe|data:|blob:|https?:|\*/);
  expect(policy).toContain("frame-ancestors 'none'");
  const broken = await page.evaluate(
    async (address) => {
      const violated: string[] = [];
      document.addEventListener('securitypolicyviolation', (event) => violated.push(event.effectiveDirective));
      const script = document.createElement('script');
      const style = document.createElement('style');
      style.textContent = 'body { color: red }';
      document.head.append(style);
      try {
        script.textContent = 'window.owned = true';
        document.head.append(script);
      } catch {
        // Trusted types refuse even the text.
      }
      await fetch(address).catch(() => undefined);
      const image = document.createElement('img');
      image.src = `${address}/image.png`;
      await new Promise((resolve) => (image.onerror = resolve));
      return { violated, owned: 'owned' in window };
    },
    daemon.address.replace('127.0.0.1', 'localhost'),
  );
  expect(broken.owned).toBe(false);
  expect(broken.violated.map((directive) => directive.replace(/-elem$/, ''))).toEqual(
    expect.arrayContaining(['style-src', 'connect-src', 'img-src']),
  );
});

test('a file that is a page of its own cannot script the viewer', async ({ folder, page, expectedErrors }) => {
  expectedErrors.push(/sandboxed|Content Security Policy/);
  writeFileSync(
    join(folder, 'evil.html'),
    '<!doctype html><title>evil</title><script>document.title = "ran"; localStorage.setItem("x", "y")</script><p>text</p>',
  );
  await page.goto('/files/evil.html');
  await expect(page).toHaveTitle('evil');
  await page.goto('/');
  expect(await page.evaluate(() => localStorage.getItem('x'))).toBeNull();
});
