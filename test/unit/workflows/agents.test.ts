import { expect } from 'chai';
import { installNewAgents, validateAgents } from '../../../src/workflows/agents.ts';
import type { WorkflowFunction } from '../../../src/workflows/context.ts';
import { failFinally, Simulation, World } from './simulation.ts';
import type { SimulationOptions } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

const agent = 'cloudify.interfaces.cloudify_agent';
const host = (overrides: Partial<NodeSpec> = {}): NodeSpec => ({
  state: 'started',
  types: ['cloudify.nodes.Compute'],
  properties: { agent_config: { install_method: 'remote' } },
  operations: [`${agent}.validate_amqp`, `${agent}.create_amqp`, 'cloudify.interfaces.monitoring_agent.install'],
  ...overrides,
});
const specs: Readonly<Record<string, NodeSpec>> = {
  h1: host(),
  h2: host(),
  none: host({ properties: { install_agent: false } }),
  web: {
    state: 'started',
    operations: ['cloudify.interfaces.monitoring.start'],
    relationships: [{ target: 'h1', type: 'cloudify.relationships.contained_in' }],
  },
};

async function run(workflow: WorkflowFunction, options: SimulationOptions = {}, given = specs) {
  const world = new World(topologyOf(given));
  const error = await new Simulation(world, options).execute(workflow);
  return { world, error };
}

describe('validate_agents', () => {
  it('checks the agents that can be replaced', async () => {
    const { world } = await run(validateAgents);
    expect(world.operations()).to.deep.equal(['h1.validate_amqp', 'h2.validate_amqp']);
    expect(world.operationStarts[0]?.kwargs).to.deep.include({ current_amqp: true });
    expect(world.trace).to.include('h1: Validation done');
  });
});

describe('install_new_agents', () => {
  it('installs nothing before all agents have been checked', async () => {
    const { world } = await run(installNewAgents, { parameters: { manager_ip: '10.0.0.9' } });
    expect(world.operations()).to.deep.equal([
      'h1.validate_amqp',
      'h2.validate_amqp',
      'h1.create_amqp',
      'h2.create_amqp',
      'h1.validate_amqp',
      'h2.validate_amqp',
      'h1.install',
      'h2.install',
      'web.start',
    ]);
    expect(world.operationStarts[2]?.kwargs).to.deep.include({
      install_agent_timeout: 300,
      manager_ip: '10.0.0.9',
      manager_certificate: null,
      stop_old_agent: false,
    });
  });

  it('installs no agent when a check fails', async () => {
    const { world, error } = await run(installNewAgents, {
      behaviour: (call) => (call.instanceId === 'h2' ? failFinally() : undefined),
    });
    expect(error?.message).to.contain('test.validate_amqp (h2:');
    expect(world.operations()).not.to.include('h1.create_amqp');
  });

  it('can leave the check or the installation out', async () => {
    expect((await run(installNewAgents, { parameters: { validate: false } })).world.operations()[0]).to.equal(
      'h1.create_amqp',
    );
    const checked = await run(installNewAgents, { parameters: { install: false } });
    expect(checked.world.operations()).to.deep.equal(['h1.validate_amqp', 'h2.validate_amqp']);
  });

  it('refuses chosen instances that have no agent', async () => {
    const { error } = await run(installNewAgents, { parameters: { node_ids: ['none', 'web'] } });
    expect(error?.message).to.equal(
      'Specified filters are not correct:\nAgent should not be installed on node instance none\n' +
        'Node instance web is not host.',
    );
  });

  it('refuses hosts that do not run', async () => {
    const { error } = await run(installNewAgents, {}, { h1: host({ state: 'stopped' }) });
    expect(error?.message).to.equal('Node h1 is not started (state: stopped)');
  });
});
