import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { followGroup } from '../../src/client/follow-group.ts';
import type { DeploymentGroupShape, ExecutionGroupShape, ExecutionShape } from '../../src/client/types.ts';
import { chainBlueprint, uploadBlueprint, writeBlueprint } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { until } from '../kit/until.ts';

const blueprint = chainBlueprint({
  levels: 1,
  instancesPerLevel: 1,
  implementation: 'gantry.sleep',
  inputs: { seconds: 0.1 },
});

/** How many executions ran at the same time at most. */
function mostAtOnce(executions: readonly ExecutionShape[]): number {
  const starts = executions.map(({ started_at: time }) => time ?? '');
  return Math.max(
    ...starts.map(
      (moment) =>
        executions.filter(({ started_at: start, ended_at: end }) => (start ?? '') <= moment && moment < (end ?? '~'))
          .length,
    ),
  );
}

describe('groups of deployments', function () {
  this.timeout(180_000);
  let manager: EmbeddedManager;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-groups-'));
    await chmod(folder, 0o755);
    manager = await startEmbeddedManager({ dataDir: folder, environment: { GANTRY_STALE_AFTER: '2' } });
    const written = await writeBlueprint(blueprint);
    await uploadBlueprint(manager.client, 'small', written.path);
    await written.dispose();
  });

  after(async () => {
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function gantry(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await manager.gantry(...words);
    expect(code, stderr).to.equal(0);
    return stdout;
  }

  const json = async <Shape>(...words: string[]): Promise<Shape> =>
    JSON.parse(await gantry(...words, '--json')) as Shape;

  /** Waits until a group's deployments are filled. */
  async function created(group: string): Promise<void> {
    const { items } = await manager.client.executionGroups.list({ filters: { deployment_group_id: group } });
    await Promise.all(items.map(({ id }) => followGroup(manager.client, id)));
  }

  it('are made, filled and installed from the command line', async () => {
    await gantry('deployments', 'groups', 'create', 'fleet', '-b', 'small', '--description', 'many', '-l', 'team:a');
    const group = await json<DeploymentGroupShape>('deployments', 'groups', 'extend', 'fleet', '--count', '4');
    expect(group.deployment_ids).to.have.length(4);
    await created('fleet');
    expect(await gantry('deployments', 'groups', 'list')).to.match(/fleet\s*│\s*many\s*│\s*small\s*│\s*4/);
    expect(await gantry('deployments', 'groups', 'get', 'fleet')).to.contain('team:a');
    const output = await gantry(
      'executions',
      'groups',
      'start',
      'install',
      '-g',
      'fleet',
      '--concurrency',
      '2',
      '--follow',
    );
    expect(output.match(/changed state to 'terminated'/g)).to.have.length(4);
    const [install] = await json<ExecutionGroupShape[]>('executions', 'groups', 'list', '-g', 'fleet');
    expect(install).to.include({ workflow_id: 'install', status: 'terminated', concurrency: 2 });
    const executions = await json<ExecutionShape[]>('executions', 'list', '-g', install?.id ?? '');
    expect(mostAtOnce(executions)).to.equal(2);
    const [first] = group.deployment_ids;
    const shrunk = await json<DeploymentGroupShape>('deployments', 'groups', 'shrink', 'fleet', '-d', first ?? '');
    expect(shrunk.deployment_ids).to.not.include(first);
  });

  it('go with their deployments', async () => {
    const answer = await json<{ execution_group_id: string }>(
      ...['deployments', 'groups', 'delete', 'fleet', '--delete-deployments', '--force'],
    );
    await gantry('executions', 'groups', 'follow', answer.execution_group_id);
    const left = await manager.client.deployments.list({ filters: { blueprint_id: 'small' } });
    expect(left.items).to.have.length(1);
  });

  it('go on one after the other when the manager dies', async () => {
    const count = 6;
    await manager.client.deploymentGroups.put('survivors', {
      blueprintId: 'small',
      newDeployments: Array.from({ length: count }, (_, index) => ({ id: `survivor-${index}` })),
    });
    await created('survivors');
    const { id } = await manager.client.executionGroups.start('survivors', 'install', { concurrency: 2 });
    const members = async (): Promise<ExecutionShape[]> =>
      (await manager.client.executions.list({ filters: { _group_id: id } })).items;
    await until('the first to end', async () => (await members()).some(({ status }) => status === 'terminated'));
    await manager.program.kill();
    manager.client.close();
    manager = await startEmbeddedManager({ dataDir: folder, environment: { GANTRY_STALE_AFTER: '2' } });
    const ended = await followGroup(manager.client, id, { patience: 60_000 });
    expect(ended.status).to.equal('terminated');
    const executions = await members();
    expect(executions).to.have.length(count);
    expect(mostAtOnce(executions)).to.be.at.most(2);
  });
});
