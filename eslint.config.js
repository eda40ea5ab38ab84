import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom: a layer imports the layers before it, never one after it. Layers of one group are siblings;
 * `siblings` names the only imports allowed between them.
 */
const layers = [
  ['domain'],
  ['dsl', 'topology', 'graph', 'workflows'],
  ['log', 'config', 'metrics'],
  ['store', 'amqp', 'files', 'security'],
  ['runtime'],
  ['executor', 'broker', 'recorder', 'scheduler'],
  ['services'],
  ['rest', 'client', 'language-server'],
  ['cli'],
];
const siblings = {
  topology: ['dsl'],
  workflows: ['graph', 'topology', 'dsl'],
  log: ['config', 'metrics'],
  config: ['log'],
  metrics: ['log', 'config'],
  store: ['security'],
  files: ['security'],
  amqp: ['security'],
  executor: ['recorder'],
  broker: ['recorder'],
};
const pureLayers = new Set(['domain', 'dsl', 'topology', 'graph', 'workflows']);

const layerRules = layers.flatMap((group, position) =>
  group.map((layer) => {
    const later = layers.slice(position + 1).flat();
    const forbiddenSiblings = group.filter((other) => other !== layer && !(siblings[layer] ?? []).includes(other));
    const forbidden = [...later, ...forbiddenSiblings];
    const clientOnly =
      layer === 'client'
        ? ['store', 'amqp', 'files', 'executor', 'broker', 'services']
        : layer === 'language-server'
          ? ['store', 'amqp', 'security', 'runtime', 'executor', 'broker', 'recorder', 'scheduler', 'services']
          : [];
    return {
      files: [`src/${layer}/**/*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: [
                  '**/src/main.ts',
                  '../manager.ts',
                  '../../manager.ts',
                  ...[...forbidden, ...clientOnly].flatMap((name) => [`../${name}/*`, `../**/${name}/*`]),
                ],
                message: `${layer} may not import this layer (see ARCHITECTURE.md, import rule)`,
              },
              ...(pureLayers.has(layer)
                ? [
                    {
                      group: ['node:*', 'fs', 'pg', 'knex', 'amqplib', 'express', 'winston'],
                      message: `${layer} is pure: pass clocks, ids and input/output in as parameters`,
                    },
                  ]
                : []),
            ],
          },
        ],
        ...(pureLayers.has(layer)
          ? {
              'no-restricted-properties': [
                'error',
                { object: 'Date', property: 'now', message: 'take a Clock parameter' },
                { object: 'Math', property: 'random', message: 'take a RandomSource parameter' },
                { object: 'crypto', property: 'randomUUID', message: 'take an IdGenerator parameter' },
              ],
              'no-restricted-syntax': [
                'error',
                {
                  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
                  message: 'take a Clock parameter',
                },
              ],
            }
          : {}),
      },
    };
  }),
);

export default tseslint.config(
  { ignores: ['node_modules', 'dist', 'var', 'coverage', 'console', 'resources', 'blueprints'] },
  {
    files: ['src/**/*.ts', 'migrations/**/*.ts', 'test/**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      'import-x/no-default-export': 'error',
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      eqeqeq: 'error',
      curly: 'error',
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
    settings: {
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js', '.json'] })],
      'import-x/extensions': ['.ts', '.js'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      'no-console': 'off',
    },
  },
  ...layerRules,
);
