import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

// A hash does not compress, and each component's is in its script and in its style: four digits tell some thirty of them apart.
const cssHash = ({ hash, css }) => `s-${hash(css).slice(0, 4)}`;

export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, discloseVersion: false, cssHash },
};
