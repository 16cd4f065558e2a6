/** What every browser test has: a folder, a daemon, and a page that must stay free of errors. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base } from '../../server/web/node_modules/@playwright/test';
import { Daemon } from './daemon';

export { expect, type Locator, type Page } from '../../server/web/node_modules/@playwright/test';

interface Fixtures {
  /** An empty folder that the daemon serves; removed afterwards. */
  readonly folder: string;
  readonly daemon: Daemon;
  /** What the daemon is started with beside its address and the folder. */
  readonly daemonOptions: readonly string[];
  /** Console errors that the test expects: for those that break the network on purpose. */
  readonly expectedErrors: RegExp[];
}

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- Playwright wants a pattern
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'ranged-browser-'));
    await use(folder);
    rmSync(folder, { recursive: true });
  },
  daemonOptions: [[], { option: true }],
  // Through baseURL every page has a daemon, whether its test names it or not.
  daemon: async ({ folder, daemonOptions }, use) => {
    const daemon = await Daemon.start(folder, daemonOptions);
    await use(daemon);
    await daemon.kill();
  },
  // eslint-disable-next-line no-empty-pattern -- Playwright wants a pattern
  expectedErrors: async ({}, use) => {
    await use([]);
  },
  baseURL: async ({ daemon }, use) => {
    await use(daemon.address);
  },
  page: async ({ page, expectedErrors }, use) => {
    const errors: string[] = [];
    // A page that is left for about:blank before its icon was asked for: Chromium asks for it in the name of the blank page.
    const iconOfPageLeft = /favicon-\S+' from origin 'null' has been blocked/;
    page.on('console', (message) => {
      if (iconOfPageLeft.test(message.text())) return;
      if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
    });
    page.on('pageerror', (error) => errors.push(String(error)));
    await use(page);
    const unexpected = errors.filter((text) => !expectedErrors.some((expected) => expected.test(text)));
    if (unexpected.length > 0) throw new Error(`The page reported errors:\n${unexpected.join('\n')}`);
  },
});

export const networkErrors = /Failed to load resource|net::ERR_/;
