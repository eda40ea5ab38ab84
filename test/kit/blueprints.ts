import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { GantryClient } from '../../src/client/client.ts';
import { packBlueprint } from '../../src/client/archive.ts';
import { followExecution } from '../../src/client/follow.ts';
import { hasFailed } from '../../src/client/resources/blueprints.ts';
import type { StartOptions } from '../../src/client/resources/executions.ts';
import type { EventShape, ExecutionShape } from '../../src/client/types.ts';
import { startExecution } from '../../src/cli/commands/executions.ts';

const lifecycle = 'cloudify.interfaces.lifecycle';

/** The part of a blueprint that makes the functions of the program itself usable as operations. */
const header = {
  tosca_definitions_version: 'cloudify_dsl_1_3',
  imports: ['cloudify/types/types.yaml'],
  plugins: { gantry: { executor: 'central_deployment_agent', install: false } },
};

/** A blueprint of one node template with many instances whose operations do nothing. */
export function noopBlueprint(instances: number, operations = ['create', 'configure', 'start']): object {
  return {
    ...header,
    node_templates: {
      worker: {
        type: 'cloudify.nodes.Root',
        capabilities: { scalable: { properties: { default_instances: instances, max_instances: -1 } } },
        interfaces: {
          [lifecycle]: Object.fromEntries(operations.map((name) => [name, { implementation: 'gantry.noop' }])),
        },
      },
    },
  };
}

export interface ChainOptions {
  /** Levels that depend on each other. */
  levels: number;
  instancesPerLevel: number;
  /** What each operation does, e.g. `gantry.sleep`. */
  implementation: string;
  inputs?: Record<string, unknown>;
}

const chainOperations = ['create', 'configure', 'start', 'stop', 'delete'];

/** A blueprint of levels of nodes, each connected to the one below, so that work goes on in several steps. */
export function chainBlueprint(options: ChainOptions): object {
  const operation = (name: string): object => ({
    implementation: options.implementation,
    inputs: { ...options.inputs, operation_name: name },
  });
  const level = (index: number): [string, object] => [
    `level${index}`,
    {
      type: 'cloudify.nodes.Root',
      capabilities: { scalable: { properties: { default_instances: options.instancesPerLevel } } },
      interfaces: { [lifecycle]: Object.fromEntries(chainOperations.map((name) => [name, operation(name)])) },
      relationships: index === 0 ? [] : [{ type: 'cloudify.relationships.connected_to', target: `level${index - 1}` }],
    },
  ];
  return {
    ...header,
    node_templates: Object.fromEntries(Array.from({ length: options.levels }, (_, index) => level(index))),
  };
}

/** Writes a blueprint and its files into a folder of their own; `dispose` removes it. */
export async function writeBlueprint(
  blueprint: object | string,
  files: Readonly<Record<string, string>> = {},
): Promise<{ path: string; dispose: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-blueprint-'));
  const place = join(folder, 'blueprint');
  await mkdir(place);
  await writeFile(join(place, 'blueprint.yaml'), typeof blueprint === 'string' ? blueprint : stringify(blueprint));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(place, name, '..'), { recursive: true });
    await writeFile(join(place, name), text, { mode: 0o755 });
  }
  return { path: join(place, 'blueprint.yaml'), dispose: () => rm(folder, { recursive: true, force: true }) };
}

/**
 * Uploads a blueprint and waits until it is parsed.
 * @throws Error with the reason when the manager refuses it
 */
export async function uploadBlueprint(client: GantryClient, id: string, path: string): Promise<void> {
  const archive = await packBlueprint(path);
  try {
    await client.blueprints.upload(id, archive);
    const blueprint = await client.blueprints.waitUntilFinal(id);
    if (hasFailed(blueprint)) {
      throw new Error(`Blueprint ${id} is ${blueprint.state}: ${blueprint.error ?? ''}`);
    }
  } finally {
    await archive.dispose();
  }
}

/** Uploads a blueprint that is made by a function of this file, and creates a deployment of it under the same id. */
export async function deploy(
  client: GantryClient,
  id: string,
  blueprint: object | string,
  files: Readonly<Record<string, string>> = {},
  inputs: Record<string, unknown> = {},
): Promise<void> {
  const written = await writeBlueprint(blueprint, files);
  try {
    await uploadBlueprint(client, id, written.path);
  } finally {
    await written.dispose();
  }
  await client.deployments.create(id, id, { inputs });
}

export interface EndedExecution {
  execution: ExecutionShape;
  events: EventShape[];
}

/** Starts a workflow and follows it to its end, whatever that is. */
export async function runWorkflow(
  client: GantryClient,
  deploymentId: string,
  workflow: string,
  options: StartOptions = {},
): Promise<EndedExecution> {
  const signal = new AbortController().signal;
  const started = await startExecution(client, deploymentId, workflow, options, signal);
  const events: EventShape[] = [];
  const execution = await followExecution(client, started.id, {
    onEvents: (batch) => events.push(...batch),
    patience: 120_000,
  });
  return { execution, events };
}

/** Runs a workflow that has to succeed. @throws Error with its error and last events when it does not */
export async function mustRun(
  client: GantryClient,
  deploymentId: string,
  workflow: string,
  options: StartOptions = {},
): Promise<EndedExecution> {
  const ended = await runWorkflow(client, deploymentId, workflow, options);
  if (ended.execution.status !== 'terminated') {
    const tail = ended.events.slice(-15).map((event) => event.message);
    const reason = ended.execution.error ?? '';
    throw new Error(`${workflow} on ${deploymentId} ended ${ended.execution.status}: ${reason}\n${tail.join('\n')}`);
  }
  return ended;
}
