import { expect } from 'chai';
import type { DeploymentPlan, PlanNode, PlanPlugin } from '../../../src/domain/plan.ts';
import type { Node } from '../../../src/domain/topology.ts';
import type { UpdatedDeployment } from '../../../src/topology/index.ts';
import {
  extractSteps,
  inputsForUpdate,
  instanceChangesOf,
  nodeChangesOf,
  nodesWithChangedRelationships,
  planForUpdate,
  pluginChangesOf,
  updateWorkflowParameters,
} from '../../../src/topology/index.ts';
import { seededRandom } from '../../tools/vectors/random.ts';
import { operation, planNode, planOf, planRelationship } from '../prepare/plan-kit.ts';
import { CONTAINED_IN } from './topology-kit.ts';

function plan(nodes: PlanNode[], parts: Partial<DeploymentPlan> = {}): DeploymentPlan {
  return { ...planOf({ nodes }), inputs: {}, node_instances: [], inter_deployment_functions: [], ...parts };
}

/** A node as it is stored after a plan's node was deployed. */
function stored(node: PlanNode): Node {
  const scalable = node.capabilities.scalable.properties;
  return {
    id: node.id,
    type: node.type,
    typeHierarchy: node.type_hierarchy,
    hostId: node.host_id,
    properties: node.properties,
    operations: node.operations,
    relationships: node.relationships.map((relationship) => ({
      targetId: relationship.target_id,
      type: relationship.type,
      typeHierarchy: relationship.type_hierarchy,
      properties: relationship.properties,
      sourceOperations: relationship.source_operations,
      targetOperations: relationship.target_operations,
    })),
    plugins: node.plugins,
    pluginsToInstall: node.plugins_to_install,
    deployNumberOfInstances: scalable.default_instances,
    numberOfInstances: scalable.current_instances,
    plannedNumberOfInstances: scalable.planned_instances,
    minNumberOfInstances: scalable.min_instances,
    maxNumberOfInstances: scalable.max_instances,
  };
}

function deployed(nodes: PlanNode[], parts: Partial<UpdatedDeployment> = {}): UpdatedDeployment {
  return { description: undefined, nodes: nodes.map(stored), outputs: {}, workflows: {}, groups: {}, ...parts };
}

function stepsBetween(before: PlanNode[], after: PlanNode[]) {
  const { supported, unsupported } = extractSteps(deployed(before), plan(after));
  const text = (steps: typeof supported) =>
    steps.map(({ action, entityType, entityId }) => `${action} ${entityType} ${entityId.join(':')}`);
  return { supported: text(supported), unsupported: text(unsupported) };
}

const contained = (target: string) => planRelationship(target, { type: CONTAINED_IN, type_hierarchy: [CONTAINED_IN] });

function plugin(name: string, version = '1'): PlanPlugin {
  return {
    name,
    source: null,
    executor: 'central_deployment_agent',
    install: true,
    install_arguments: null,
    package_name: name,
    package_version: version,
    supported_platform: null,
    distribution: null,
    distribution_version: null,
    distribution_release: null,
  };
}

describe('steps of an update', () => {
  const cases: [string, PlanNode[], PlanNode[], string[], string[]?][] = [
    [
      'are none between equals',
      [planNode('a', { properties: { x: [1, { y: 2 }] } })],
      [planNode('a', { properties: { x: [1, { y: 2 }] } })],
      [],
    ],
    ['add nodes', [], [planNode('a')], ['add node nodes:a']],
    ['remove nodes', [planNode('a')], [], ['remove node nodes:a']],
    [
      'cannot change the type of a node',
      [planNode('a')],
      [planNode('a', { type: 'other' })],
      [],
      ['modify node nodes:a'],
    ],
    [
      'cannot change what contains a node',
      [planNode('a', { relationships: [contained('x')], properties: { p: 1 } })],
      [planNode('a', { relationships: [contained('y')], properties: { p: 2 } })],
      [],
      ['modify node nodes:a'],
    ],
    [
      'change properties',
      [planNode('a', { properties: { gone: 1, kept: 1, changed: 1 } })],
      [planNode('a', { properties: { kept: 1, changed: 2, fresh: 1 } })],
      [
        'remove property nodes:a:properties:gone',
        'add property nodes:a:properties:fresh',
        'modify property nodes:a:properties:changed',
      ],
    ],
    [
      'change operations under both keys',
      [planNode('a', { operations: { op: operation(), 'i.op': operation() } })],
      [planNode('a', { operations: { op: operation({ x: 1 }), 'i.op': operation({ x: 1 }) } })],
      ['modify operation nodes:a:operations:op', 'modify operation nodes:a:operations:i.op'],
    ],
    [
      'replace relationships of another type',
      [planNode('a', { relationships: [planRelationship('b')] })],
      [planNode('a', { relationships: [planRelationship('b', { type: 'other' })] })],
      ['remove relationship nodes:a:relationships:0', 'add relationship nodes:a:relationships:0'],
    ],
    [
      'move relationships',
      [planNode('a', { relationships: [planRelationship('b'), planRelationship('c')] })],
      [planNode('a', { relationships: [planRelationship('c'), planRelationship('b')] })],
      ['modify relationship nodes:a:relationships:1:0', 'modify relationship nodes:a:relationships:0:1'],
    ],
    [
      'match equal relationships one by one',
      [planNode('a', { relationships: [planRelationship('b'), planRelationship('b')] })],
      [planNode('a', { relationships: [planRelationship('b')] })],
      ['remove relationship nodes:a:relationships:1'],
    ],
    [
      'change operations of relationships, but not their properties',
      [planNode('a', { relationships: [planRelationship('b')] })],
      [
        planNode('a', {
          relationships: [planRelationship('b', { properties: {}, target_operations: { op: operation() } })],
        }),
      ],
      ['add operation nodes:a:relationships:0:target_operations:op'],
      ['remove property nodes:a:relationships:0:properties:connection_type'],
    ],
    [
      'add and change plugins of nodes there are',
      [planNode('a', { plugins: [plugin('p'), plugin('same')] })],
      [
        planNode('a', { plugins: [plugin('p', '2'), plugin('q'), plugin('same')], plugins_to_install: [plugin('q')] }),
        planNode('new', { plugins: [plugin('z')] }),
      ],
      [
        'add plugin plugins_to_install:a:q',
        'add plugin plugins:a:q',
        'add node nodes:new',
        'modify plugin plugins:a:p',
      ],
    ],
  ];
  for (const [name, before, after, supported, unsupported = []] of cases) {
    it(name, () => {
      const steps = stepsBetween(before, after);
      expect(steps.supported).to.have.members(supported);
      expect(steps.unsupported).to.deep.equal(unsupported);
    });
  }

  it('change description, outputs and workflows, but not groups', () => {
    const workflow = { plugin: 'p', operation: 'o', parameters: {}, is_cascading: false, availability_rules: null };
    const before = deployed([], {
      description: 'old',
      outputs: { gone: { value: 1 } },
      workflows: { w: workflow },
      groups: { same: { members: ['a', 'b'], policies: {} }, other: { members: ['a'], policies: {} } },
    });
    const after = plan([], {
      description: 'new',
      outputs: { fresh: { value: 1 } },
      workflows: { w: { ...workflow, operation: 'p' } },
      groups: { same: { members: ['b', 'a'], policies: {} }, other: { members: ['b'], policies: {} } },
    });
    const { supported, unsupported } = extractSteps(before, after);
    expect(supported.map(({ action, entityId }) => [action, ...entityId])).to.deep.equal([
      ['remove', 'outputs', 'gone'],
      ['add', 'outputs', 'fresh'],
      ['modify', 'description'],
      ['modify', 'workflows', 'w'],
    ]);
    expect(unsupported.map(({ entityId }) => entityId)).to.deep.equal([['groups', 'other']]);
  });

  it('come in the order they can be applied in', () => {
    const before = [
      planNode('gone'),
      planNode('kept', { relationships: [planRelationship('gone')], properties: { p: 1 } }),
    ];
    const after = [
      planNode('top', { relationships: [planRelationship('middle')] }),
      planNode('bottom'),
      planNode('middle', { relationships: [planRelationship('bottom'), planRelationship('kept')] }),
      planNode('kept', { relationships: [planRelationship('bottom')], properties: { p: 2 } }),
    ];
    expect(stepsBetween(before, after).supported).to.deep.equal([
      'remove relationship nodes:kept:relationships:0',
      'remove node nodes:gone',
      'add node nodes:bottom',
      'add node nodes:middle',
      'add node nodes:top',
      'add relationship nodes:kept:relationships:0',
      'modify property nodes:kept:properties:p',
    ]);
  });
});

describe('plan of an update', () => {
  it('keeps the number of instances there are', () => {
    const before = stored(planNode('a', {}, 5));
    const [a, b] = planForUpdate(planOf({ nodes: [planNode('a', {}, 1), planNode('b', {}, 2)] }), [before]).nodes;
    expect(a?.capabilities.scalable.properties).to.include({
      current_instances: 5,
      planned_instances: 5,
      default_instances: 1,
    });
    expect(b?.capabilities.scalable.properties).to.include({ current_instances: 2 });
  });

  it('plans what a template asks for by instances.deploy', () => {
    const before = stored(planNode('a', {}, 5));
    const [a] = planForUpdate(planOf({ nodes: [planNode('a', { instances: { deploy: 3 } }, 3)] }), [before]).nodes;
    expect(a?.capabilities.scalable.properties).to.include({ current_instances: 5, planned_instances: 3 });
  });

  it('drops inputs the blueprint does not know', () => {
    expect(inputsForUpdate(planOf({ inputs: { a: {} } }), { a: 1, b: 2, constructor: 3 })).to.deep.equal({ a: 1 });
  });
});

describe('changes of an update', () => {
  const before = [
    planNode('a', { plugins: [plugin('old')], relationships: [planRelationship('b')] }, 2),
    planNode('b'),
  ];
  const after = plan([
    planNode(
      'a',
      {
        properties: { p: 1 },
        operations: { op: operation() },
        relationships: [planRelationship('c')],
        instances: { deploy: 3 },
      },
      2,
    ),
    planNode('c'),
  ]);
  (after.nodes[0] as PlanNode).capabilities.scalable.properties.planned_instances = 3;
  const nodes = before.map(stored);
  const { supported: steps } = extractSteps(deployed(before), after);
  const instance = (id: string, nodeId: string, targets: string[] = []) => ({
    id,
    nodeId,
    hostId: undefined,
    scalingGroups: [],
    relationships: targets.map((targetId) => ({
      type: 'cloudify.relationships.connected_to',
      targetName: 'b',
      targetId,
    })),
  });
  const instances = [instance('a_1', 'a', ['b_1']), instance('a_2', 'a', ['b_1']), instance('b_1', 'b')];
  const changes = instanceChangesOf({
    plan: after,
    nodes,
    instances,
    scalingGroups: [],
    random: seededRandom(1),
  });

  it('say what changes on nodes', () => {
    const { modifyAttributes, add, remove } = nodeChangesOf(steps, after, nodes);
    expect([...(modifyAttributes.get('a') ?? [])]).to.have.members([
      'properties',
      'operations',
      'relationships',
      'capabilities',
    ]);
    expect(add).to.deep.equal(['c']);
    expect(remove).to.deep.equal(['b']);
  });

  it('say what changes on instances', () => {
    const marked = (kind: 'addedAndRelated' | 'removedAndRelated' | 'extendedAndRelated' | 'reducedAndRelated') =>
      changes[kind].filter(({ modification }) => modification !== undefined).map(({ nodeId }) => nodeId);
    expect(marked('addedAndRelated')).to.have.members(['a', 'c']);
    expect(marked('removedAndRelated')).to.deep.equal(['b']);
    expect(marked('extendedAndRelated')).to.deep.equal(['a', 'a']);
    expect(marked('reducedAndRelated')).to.deep.equal(['a', 'a']);
    expect(nodesWithChangedRelationships(steps)).to.deep.equal(['a']);
    expect(changes.instances.map(({ nodeId }) => nodeId)).to.deep.equal(['a', 'a', 'a', 'c']);
  });

  it('say which plugins are of no use any more', () => {
    const lists = { deployment_plugins_to_install: [plugin('old'), plugin('old')], workflow_plugins_to_install: [] };
    const { hostPluginsToUninstall, centralPluginsToUninstall } = pluginChangesOf(after, nodes, lists);
    expect([...hostPluginsToUninstall]).to.deep.equal([['a', [plugin('old')]]]);
    expect(centralPluginsToUninstall).to.deep.equal([plugin('old')]);
    expect(pluginChangesOf(after, nodes, undefined).centralPluginsToUninstall).to.deep.equal([]);
  });

  it('are told to custom workflows', () => {
    const flags = { skipsInstall: true, skipsUninstall: false, isFailureIgnored: false };
    const none = { instanceIds: [], relatedIds: [] };
    const removed = { instanceIds: ['b_1'], relatedIds: ['a_1', 'a_2'] };
    const parts = { added: none, removed, extended: none, reduced: none };
    const parameters = updateWorkflowParameters('u1', steps, parts, flags);
    expect(parameters).to.include({ update_id: 'u1', skip_install: true, update_plugins: true });
    expect(parameters['removed_instance_ids']).to.deep.equal(['b_1']);
    expect(parameters['remove_target_instance_ids']).to.deep.equal(['a_1', 'a_2']);
    expect(parameters['modified_entity_ids']).to.deep.include({
      relationship: { a: ['0', '0'] },
      property: ['a'],
      rel_mappings: {},
    });
  });
});
