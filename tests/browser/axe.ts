/** What axe finds on a page. */

import axe from '../../server/web/node_modules/axe-core';
import type { Page } from './fixtures';

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** Runs axe in the page. It comes in by the debugger, past the page's policy, as an extension would. */
export async function violations(page: Page): Promise<string[]> {
  const loaded = await page.evaluate(() => 'axe' in window);
  if (!loaded) await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: runner } = window as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } };
    return (await runner.run()).violations;
  });
  return found.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html }) => `  ${html}`).join('\n')}`);
}
