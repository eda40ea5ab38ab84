/**
 * Every file of src/ that is started as a program of its own: the command, worker threads and child processes.
 * Key: name of the bundle in dist/ without `.js`; value: source file.
 */
export const entryPoints = {
  gantry: 'src/main.ts',
  'parse-worker': 'src/executor/system/parse-worker.ts',
  'plugin-process': 'src/runtime/node/child.ts',
  'workflow-process': 'src/runtime/workflow/child.ts',
};

/** The files below src/ that the types of `gantry/plugin` are made of. */
export const typeSources = [
  'plugin.ts',
  'runtime/sdk.ts',
  'runtime/workflow-sdk.ts',
  'domain/plan.ts',
  'domain/topology.ts',
];
