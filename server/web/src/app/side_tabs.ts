/** What the side panel can show. */
export const sideTabs = [
  { name: 'inspect', label: 'Inspect' },
  { name: 'strings', label: 'Strings' },
  { name: 'digest', label: 'Digest' },
  { name: 'map', label: 'Map' },
] as const;

export type SideTab = (typeof sideTabs)[number]['name'];
