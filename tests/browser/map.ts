/** The map beside the bytes, as it is drawn. */

import { expect, type Page } from './fixtures';

/** The rows of the map's canvas that have ink, as parts of its height. */
export function inkedRows(page: Page): Promise<number[]> {
  return page.locator('[slot=map] canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    // Read from a copy: the browser advises against reading often from one that is drawn to.
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext('2d', { willReadFrequently: true })!;
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const rows = new Set<number>();
    for (let at = 3; at < data.length; at += 4) if (data[at]! > 0) rows.add(Math.floor(at / 4 / canvas.width));
    return [...rows].map((row) => row / canvas.height);
  });
}

/** The map has been read to its end: what the panel says of it, which is left open. */
export async function mapped(page: Page): Promise<string> {
  await page.getByRole('tab', { name: 'Map' }).click();
  const status = page.getByRole('tabpanel').getByRole('status');
  await expect(status).toContainText(/was counted|was looked at|no map/);
  await expect(status).not.toContainText('…');
  return (await status.textContent())!.trim();
}
