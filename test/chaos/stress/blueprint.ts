import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packBlueprint } from '../../../src/client/archive.ts';
import { writeBlueprint } from '../../kit/blueprints.ts';
import { scriptPath, stepScript } from '../blueprint.ts';

/** The node whose number of instances changes. */
export const scaledNode = 'web';
/** Blueprints that uploads choose from. */
export const variants = 3;

const lifecycle = 'cloudify.interfaces.lifecycle';

function sleeping(seconds: object | number): object {
  return { implementation: 'gantry.sleep', inputs: { seconds } };
}

/** Small topologies whose operations sleep a moment, run a script, retry, and in the last variant fail. */
function stressBlueprint(variant: number, journal: string): object {
  const speed = { get_input: 'speed' };
  const extras = Array.from({ length: variant }, (_, index): [string, object] => [
    `extra${index}`,
    {
      type: 'cloudify.nodes.Root',
      relationships: [{ type: 'cloudify.relationships.connected_to', target: 'base' }],
      ...(index === 1
        ? { interfaces: { [lifecycle]: { start: { implementation: 'gantry.fail', inputs: { message: 'It fails' } } } } }
        : {}),
    },
  ]);
  return {
    tosca_definitions_version: 'cloudify_dsl_1_4',
    imports: ['cloudify/types/types.yaml'],
    plugins: { gantry: { executor: 'central_deployment_agent', install: false } },
    inputs: { speed: { type: 'float', default: 0.05 }, label: { default: 'none' } },
    node_templates: {
      base: {
        type: 'cloudify.nodes.Root',
        interfaces: { [lifecycle]: { create: sleeping(speed), start: sleeping(speed), stop: sleeping(0.02) } },
      },
      [scaledNode]: {
        type: 'cloudify.nodes.Root',
        capabilities: { scalable: { properties: { default_instances: 2, max_instances: -1 } } },
        relationships: [{ type: 'cloudify.relationships.contained_in', target: 'base' }],
        interfaces: {
          [lifecycle]: {
            configure: { implementation: 'gantry.retry', inputs: { attempts: 1, retry_after: 0 } },
            start: sleeping(0.05),
          },
        },
      },
      scripted: {
        type: 'cloudify.nodes.Root',
        relationships: [{ type: 'cloudify.relationships.connected_to', target: scaledNode }],
        interfaces: {
          [lifecycle]: { start: { implementation: scriptPath, inputs: { journal, operation_name: 'start' } } },
        },
      },
      ...Object.fromEntries(extras),
    },
    capabilities: { speed: { value: { get_input: 'speed' } } },
  };
}

/**
 * The archives of all variants.
 * @param journal file that scripts write to
 */
export async function packVariants(journal: string): Promise<Buffer[]> {
  return Promise.all(
    Array.from({ length: variants }, async (_, variant) => {
      const written = await writeBlueprint(stressBlueprint(variant, journal), { [scriptPath]: stepScript });
      const packed = await packBlueprint(written.path);
      try {
        return await readFile(packed.path);
      } finally {
        await packed.dispose();
        await written.dispose();
      }
    }),
  );
}

/** A folder for what the run itself writes. */
export async function workFolder(): Promise<{ path: string; dispose: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'gantry-stress-'));
  return { path, dispose: () => rm(path, { recursive: true, force: true }) };
}
