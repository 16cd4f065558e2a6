import type { HTMLAttributes } from 'svelte/elements';
import type { HexView } from '../hex_view/hex_view';

declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    'hex-view': HTMLAttributes<HexView>;
  }
}
