import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { deploy, mustRun, runWorkflow, uploadBlueprint } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { until } from '../kit/until.ts';

const example = join(packageRoot(), 'blueprints', 'rolling-restart', 'blueprint.yaml');

const script = `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
node_templates:
  one: { type: cloudify.nodes.Root }
workflows:
  greet: workflows/greet.mjs
  broken: workflows/broken.mjs
`;

describe('workflows of plugins', function () {
  this.timeout(180_000);
  let manager: EmbeddedManager;

  before(async () => {
    manager = await startEmbeddedManager();
    await uploadBlueprint(manager.client, 'rolling', example);
    await manager.client.deployments.create('rolling', 'rolling', { inputs: { workers: 5 } });
    await mustRun(manager.client, 'rolling', 'install');
  });

  after(async () => {
    await manager?.stop();
  });

  const starts = async (): Promise<unknown[]> => {
    const { items } = await manager.client.deployments.nodeInstances({
      filters: { deployment_id: 'rolling' },
      sort: ['id'],
    });
    return items.map((item) => item.runtime_properties['starts']);
  };

  it('run in batches, with operations of the same plugin', async () => {
    const { execution, events } = await mustRun(manager.client, 'rolling', 'rolling_restart');
    const messages = events.map(({ message }) => message);
    expect(messages.filter((message) => message.startsWith('Batch'))).to.have.length(3);
    // lines that operations log are stored on their own, and may come after the end
    expect(messages).to.include("'rolling_restart' workflow execution succeeded");
    expect(await starts()).to.deep.equal([2, 2, 2, 2, 2]);
    expect(execution.finished_operations).to.equal(execution.total_operations);
  });

  it('can be planned before they run', async () => {
    const plan = await manager.client.executions.plan('rolling', 'rolling_restart', { parameters: { batch_size: 2 } });
    expect(plan.graphs.map(({ name, operations }) => [name, operations.length])).to.deep.equal([
      ['batch_1', 6],
      ['batch_2', 6],
      ['batch_3', 3],
    ]);
    const { code, stdout } = await manager.gantry(
      'executions',
      'plan',
      'rolling_restart',
      '-d',
      'rolling',
      '--mermaid',
    );
    expect([code, stdout.split('\n')[0]]).to.deep.equal([0, 'flowchart TD']);
  });

  it('have their parameters checked against what the blueprint declares', async () => {
    const refused = await runWorkflow(manager.client, 'rolling', 'rolling_restart', {
      parameters: { batch_size: 0 },
    }).catch((error: unknown) => error);
    expect(String(refused)).to.include('batch_size');
  });

  it('go on where they were after the manager was killed', async () => {
    const before = await starts();
    const execution = await manager.client.executions.start('rolling', 'rolling_restart', {
      parameters: { batch_size: 1 },
    });
    await until(
      'the execution',
      async () => (await manager.client.executions.get(execution.id)).finished_operations > 6,
    );
    await manager.program.kill();
    const again = await startEmbeddedManager({ dataDir: manager.dataDir });
    manager = { ...again, stop: manager.stop.bind(again) };
    await until('the execution', async () => (await manager.client.executions.get(execution.id)).ended_at !== null);
    expect((await manager.client.executions.get(execution.id)).status).to.equal('terminated');
    expect(await starts()).to.deep.equal(before.map((count) => Number(count) + 1));
  });

  it('are modules of the blueprint, too, and fail with the line that is wrong', async () => {
    await deploy(manager.client, 'script', script, {
      'workflows/greet.mjs': "export default (ctx) => ctx.logger.info('Hello, ' + ctx.execution.deploymentId);\n",
      'workflows/broken.mjs': 'export default () => {\n  null.member;\n};\n',
    });
    const { events } = await mustRun(manager.client, 'script', 'greet');
    expect(events.map(({ message }) => message)).to.include('Hello, script');
    const { execution } = await runWorkflow(manager.client, 'script', 'broken');
    expect(execution).to.include({ status: 'failed' });
    expect(execution.error).to.match(/failed at broken\.mjs:2:8: TypeError: Cannot read properties of null/);
  });
});
