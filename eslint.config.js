import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'runs/',
      '.qpipe/',
      '.oracle/',
      '.oracle-runtimes/',
      '.peers/',
      'src/*/wasm/assembly/',
      'src/wasm/assembly/',
      'node_modules/',
    ],
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.test.json' } },
    rules: {
      // Kernels index typed arrays after a bounds argument; style.md allows `!` there and only there.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Rules of one shape have parameters that some of them do not need.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // One style each: names from node:path, and types in an import of their own.
      'no-restricted-syntax': [
        'error',
        {
          selector: "ImportDeclaration[source.value='node:path'] > ImportDefaultSpecifier",
          message: "Import the functions by name: import { join } from 'node:path'.",
        },
        {
          selector: "ImportSpecifier[importKind='type']",
          message: 'Import types apart: import type { … } from.',
        },
      ],
      // NoAttrs: ops without attributes have the empty object, and unions of attributes need it so.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      // What a reader can see as a whole. Kernels in AssemblyScript are not linted; see `ignores` above.
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: false, skipComments: false, IIFEs: true }],
    },
  },
);
