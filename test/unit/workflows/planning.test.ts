import { expect } from 'chai';
import { planMermaid, planTree } from '../../../src/cli/commands/execution-plan.ts';
import type { ExecutionPlanShape } from '../../../src/client/types.ts';
import type { WorkflowFunction } from '../../../src/workflows/context.ts';
import { WorkflowRefused } from '../../../src/workflows/errors.ts';
import { install } from '../../../src/workflows/install.ts';
import type { PlannedGraph } from '../../../src/workflows/planning/planned-graph.ts';
import { PlanningContext } from '../../../src/workflows/planning/planning-context.ts';
import { reinstall } from '../../../src/workflows/reinstall.ts';
import { scale } from '../../../src/workflows/scale.ts';
import { snapshotOf, topologyOf } from './topology-kit.ts';

const topology = topologyOf({
  db: { operations: ['create', 'start'] },
  cache: { operations: ['start'] },
  web: { operations: ['start', 'stop'], relationships: ['db', 'cache'] },
});

async function plan(
  workflow: WorkflowFunction,
  seconds: Record<string, number> = {},
  parameters: Record<string, string> = {},
): Promise<PlannedGraph[]> {
  let next = 0;
  const context = new PlanningContext({
    deploymentId: 'd',
    workflowId: 'w',
    parameters,
    config: { taskRetries: 0, taskRetryInterval: 0, subgraphRetries: 0 },
    topology: snapshotOf(topology),
    newId: () => `id-${(next += 1)}`,
    estimate: ({ nodeId, operation }) => seconds[`${nodeId}.${operation.split('.').at(-1) ?? ''}`],
    now: 0,
    signal: new AbortController().signal,
  });
  await workflow(context);
  return context.graphs;
}

const shown = (graph: PlannedGraph, ids: readonly string[]): string[] =>
  ids.map((id) => {
    const found = graph.operations.find((operation) => operation.id === id);
    return `${found?.instanceId ?? ''}.${found?.operation.split('.').at(-1) ?? ''}`;
  });

describe('the plan of a workflow', () => {
  it('has every operation with what ends directly before it, through events, states and subgraphs', async () => {
    const [graph] = await plan(install);
    const before: Record<string, string[]> = Object.fromEntries(
      (graph?.operations ?? []).map((operation) => [
        shown(graph as PlannedGraph, [operation.id]).join(),
        shown(graph as PlannedGraph, operation.after).sort(),
      ]),
    );
    expect(before).to.deep.equal({
      'db.create': [],
      'db.start': ['db.create'],
      'cache.start': [],
      'web.start': ['cache.start', 'db.start'],
    });
    expect(graph?.operations.every(({ path }) => path.length === 1)).to.equal(true);
  });

  it('tells how long it takes and what decides that, from what operations took before', async () => {
    const [graph] = await plan(install, { 'db.create': 10, 'db.start': 5, 'cache.start': 7, 'web.start': 2 });
    expect(graph?.seconds).to.equal(17);
    expect(shown(graph as PlannedGraph, graph?.criticalPath ?? [])).to.deep.equal([
      'db.create',
      'db.start',
      'web.start',
    ]);
    const web = graph?.operations.find(({ instanceId }) => instanceId === 'web');
    expect(web).to.include({ startsAt: 15, seconds: 2 });
    const [other] = await plan(install, { 'cache.start': 100 });
    expect(other?.seconds).to.equal(100);
    expect(shown(other as PlannedGraph, other?.criticalPath ?? [])).to.include('cache.start');
    expect(other?.operations.find(({ instanceId }) => instanceId === 'web')?.seconds).to.equal(undefined);
  });

  it('builds later graphs on the states that earlier ones leave', async () => {
    for (const instance of topology.instances.values()) {
      instance.state = 'started';
    }
    const graphs = await plan(reinstall);
    expect(graphs.map(({ name, operations }) => [name, operations.length])).to.deep.equal([
      ['reinstall-uninstall', 1],
      ['reinstall-install', 4],
    ]);
    expect(topology.instances.get('web')?.state).to.equal('started');
  });

  it('is refused as the workflow would be', async () => {
    const refusal = await plan(scale, {}, { scalable_entity_name: 'nothing' }).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(WorkflowRefused);
  });

  it('is drawn as a tree and as a flowchart', () => {
    const operation = {
      task: 'p.start',
      node_id: 'db',
      related_instance_id: null,
      inputs: {},
      starts_at: 0,
      path: ['install_db_1'],
    };
    const drawn: ExecutionPlanShape = {
      workflow_id: 'install',
      deployment_id: 'shop',
      parameters: {},
      total_operations: 2,
      seconds: 75,
      unknown_durations: 1,
      messages: [],
      graphs: [
        {
          name: 'install',
          seconds: 75,
          critical_path: ['a'],
          operations: [
            {
              ...operation,
              id: 'a',
              operation: 'l.create',
              node_instance_id: 'db_1',
              host_id: 'vm_1',
              after: [],
              seconds: 75,
            },
            {
              ...operation,
              id: 'b',
              operation: 'l.start',
              node_instance_id: 'db_1',
              host_id: null,
              after: ['a'],
              seconds: null,
            },
          ],
        },
      ],
    };
    expect(planTree(drawn).split('\n')).to.deep.equal([
      'install on shop: 2 operations, about 1 min 15 s (of 1 operations the duration is not known yet)',
      'install (2 operations, about 1 min 15 s)',
      '└─ install_db_1',
      '   ├─ * db_1: create, 1 min 15 s, on vm_1',
      '   └─ db_1: start',
    ]);
    expect(planMermaid(drawn).split('\n')).to.deep.equal([
      'flowchart TD',
      '  subgraph g0["install"]',
      '    o0["db_1: create, 1 min 15 s, on vm_1"]',
      '    o1["db_1: start"]',
      '  end',
      '  o0 --> o1',
      '  class o0 critical',
      '  classDef critical stroke-width:3px',
    ]);
  });
});
