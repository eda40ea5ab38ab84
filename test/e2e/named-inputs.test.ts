import { expect } from 'chai';
import { deploy, noopBlueprint, runWorkflow } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';

interface Case {
  type: string;
  constraints?: object[];
  good: unknown;
  bad: unknown;
}

const inProvider = { deployment_id: 'provider' };

const cases: Case[] = [
  { type: 'deployment_id', good: 'provider', bad: 'nobody' },
  { type: 'deployment_id', constraints: [{ name_pattern: { starts_with: 'prov' } }], good: 'provider', bad: 'other' },
  { type: 'blueprint_id', good: 'provider', bad: 'nothing' },
  { type: 'secret_key', good: 'known', bad: 'unknown' },
  { type: 'capability_value', constraints: [inProvider], good: 8080, bad: 8081 },
  { type: 'node_id', constraints: [inProvider], good: 'worker', bad: 'idler' },
  { type: 'node_type', constraints: [inProvider], good: 'cloudify.nodes.Root', bad: 'cloudify.nodes.Compute' },
  { type: 'scaling_group', constraints: [inProvider], good: 'workers', bad: 'idlers' },
  { type: 'operation_name', constraints: [inProvider], good: 'cloudify.interfaces.lifecycle.create', bad: 'dance' },
];

describe('inputs that name what is on the manager', function () {
  this.timeout(300_000);
  let manager: TestManager;

  before(async () => {
    manager = await startEmbeddedManager();
    await deploy(manager.client, 'provider', {
      ...noopBlueprint(1),
      capabilities: { port: { value: 8080 } },
      groups: { workers: { members: ['worker'] } },
      policies: { scaling: { type: 'cloudify.policies.scaling', targets: ['workers'] } },
    });
    await deploy(manager.client, 'other', noopBlueprint(1));
    await manager.client.secrets.create('known', 'value');
    // its environment must be there before it is looked at
    expect((await runWorkflow(manager.client, 'provider', 'install')).execution.status).to.equal('terminated');
  });

  after(async () => {
    await manager?.stop();
  });

  for (const [index, { type, constraints = [], good, bad }] of cases.entries()) {
    it(`takes a ${type} that is there, and no other (${JSON.stringify(constraints)})`, async () => {
      const id = `named${index}`;
      const input = { type, constraints };
      const blueprint = { ...noopBlueprint(1), tosca_definitions_version: 'cloudify_dsl_1_5', inputs: { it: input } };
      await deploy(manager.client, id, blueprint, {}, { it: good });
      expect((await runWorkflow(manager.client, id, 'install')).execution.status).to.equal('terminated');
      const failure = await manager.client.deployments
        .create(`${id}-bad`, id, { inputs: { it: bad } })
        .then(() => runWorkflow(manager.client, `${id}-bad`, 'install'))
        .then(
          () => 'taken',
          (error: Error) => error.message,
        );
      expect(failure).to.match(/is not a valid value for data type|does not match any relevant entity/);
    });
  }
});
