/** The blueprint that is installed, scaled, healed, updated and taken down while things break. */

export const tiers = 6;
export const nodesPerTier = 10;
/** Its number of instances changes. */
export const scaledNode = nodeName(tiers - 1, nodesPerTier - 1);
/** One of its instances is healed: nothing is contained in it, and its operations are scripts. */
export const healedNode = nodeName(tiers - 1, 0);
/** Comes with one update and goes with the next. */
const extraNode = 'extra';

const lifecycle = 'cloudify.interfaces.lifecycle';
export const installOperations: readonly string[] = ['create', 'configure', 'start'];
export const uninstallOperations: readonly string[] = ['stop', 'delete'];

function nodeName(tier: number, index: number): string {
  return `n${tier}x${index}`;
}

/** Whether the operations of a node are scripts, which write a journal and a runtime property. */
export function runsScripts(node: string): boolean {
  return node.endsWith('x0') || node === scaledNode || node === extraNode;
}

/**
 * Notes in the journal that it began and ended, and who it is, as a runtime property. The instance keeps the last one
 * of each operation.
 */
export const stepScript = `#!/bin/bash -e
id=$(ctx task_id)
echo "begin $id $$" >> "$journal"
ctx instance runtime-properties "$operation_name" "$id"
echo "end $id $$" >> "$journal"
`;
export const scriptPath = 'scripts/step.sh';

function operationsOf(node: string): object {
  const inputs = { journal: { get_input: 'journal' } };
  const make = (name: string): object =>
    runsScripts(node)
      ? { implementation: scriptPath, inputs: { ...inputs, operation_name: name } }
      : { implementation: 'gantry.sleep', inputs: { seconds: 0.02 } };
  return Object.fromEntries([...installOperations, ...uninstallOperations].map((name) => [name, make(name)]));
}

/** A status check that fails, so that healing has something to do. */
const sickness = {
  'cloudify.interfaces.validation': {
    check_status: { implementation: 'gantry.fail', inputs: { message: 'It is sick' } },
  },
};
export const statusCheck = 'cloudify.interfaces.validation.check_status';

function template(tier: number, index: number): object {
  const name = nodeName(tier, index);
  const target = nodeName(tier - 1, index);
  const type = tier === 1 ? 'cloudify.relationships.contained_in' : 'cloudify.relationships.connected_to';
  return {
    type: 'cloudify.nodes.Root',
    capabilities: { scalable: { properties: { default_instances: 1, max_instances: -1 } } },
    interfaces: { [lifecycle]: operationsOf(name), ...(name === healedNode ? sickness : {}) },
    relationships: tier === 0 ? [] : [{ type, target }],
  };
}

/**
 * Sixty nodes in tiers that build on each other.
 * @param isExtended with one node more, as an update adds it
 */
export function chaosBlueprint(isExtended = false): object {
  const names = Array.from({ length: tiers }, (_, tier) =>
    Array.from({ length: nodesPerTier }, (__, index) => [nodeName(tier, index), template(tier, index)] as const),
  ).flat();
  const extra = {
    type: 'cloudify.nodes.Root',
    interfaces: { [lifecycle]: operationsOf(extraNode) },
    relationships: [{ type: 'cloudify.relationships.connected_to', target: nodeName(0, 0) }],
  };
  return {
    tosca_definitions_version: 'cloudify_dsl_1_3',
    imports: ['cloudify/types/types.yaml'],
    plugins: { gantry: { executor: 'central_deployment_agent', install: false } },
    inputs: { journal: {} },
    node_templates: { ...Object.fromEntries(names), ...(isExtended ? { [extraNode]: extra } : {}) },
  };
}
