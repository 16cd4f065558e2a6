import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

// The browser tests lie outside of this folder: npm run lint sets the base path above both.
const here = 'server/web/';

export default ts.config(
  { ignores: ['**/node_modules/', '**/dist/', '**/test-results/'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: {
        project: ['./tsconfig.json', './tsconfig.tests.json'],
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.svelte'],
      },
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    // Bitwise operators cut an offset to 32 bits: the bug that most shipped viewers had.
    files: [`${here}src/**`],
    ignores: ['inspector', 'text_encodings', 'expression'].map((name) => `${here}src/core/${name}.ts`),
    rules: { 'no-bitwise': 'error' },
  },
  {
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      eqeqeq: 'error',
    },
  },
  { files: ['**/scripts/**', '**/*.config.*', 'tests/**'], languageOptions: { globals: { ...globals.node } } },
  {
    // The linter's types know nothing of what a component exports; svelte-check does.
    files: ['**/*.svelte'],
    rules: { '@typescript-eslint/no-unsafe-call': 'off', '@typescript-eslint/no-unsafe-return': 'off' },
  },
  { files: ['**/*.js', '**/*.mjs'], ...ts.configs.disableTypeChecked },
);
