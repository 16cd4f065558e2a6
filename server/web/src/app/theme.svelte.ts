/** Light or dark: as the system says, unless the reader chose. */

import { readSetting, writeSetting } from './settings';

export type Theme = 'system' | 'light' | 'dark';

const order: readonly Theme[] = ['system', 'light', 'dark'];

export const theme = $state<{ chosen: Theme }>({ chosen: 'system' });

function apply(): void {
  if (theme.chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.chosen;
}

export function startTheme(): void {
  theme.chosen = order.find((name) => name === readSetting('theme')) ?? 'system';
  apply();
}

export function nextTheme(): void {
  theme.chosen = order[(order.indexOf(theme.chosen) + 1) % order.length]!;
  writeSetting('theme', theme.chosen);
  apply();
}
