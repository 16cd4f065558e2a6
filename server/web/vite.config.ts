import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  build: {
    // The daemon's policy allows no inline script, style or data address: nothing may be inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // light-dark(), overflow: clip and ES2023 without rewriting.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    emptyOutDir: true,
    // A twentieth smaller than esbuild makes it, once compressed. Statements compress better than sequences.
    minify: 'terser',
    terserOptions: { module: true, ecma: 2020, compress: { passes: 6, sequences: false, keep_fargs: false } },
  },
  server: {
    proxy: Object.fromEntries(
      ['/files', '/bytes', '/info', '/search', '/map', '/extents', '/digest', '/strings', '/watch'].map((address) => [
        address,
        'http://127.0.0.1:8080',
      ]),
    ),
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node', testTimeout: 30_000 },
});
