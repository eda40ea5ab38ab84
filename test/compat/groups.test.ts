import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { Cfy, clientEnvironment } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';
import { runProgram } from '../kit/program.ts';

const blueprint = join(packageRoot(), 'test', 'fixtures', 'compat', 'blueprint.yaml');

interface ListedGroup {
  id: string;
  workflow_id: string;
}

describe('groups, for the unmodified clients', function () {
  this.timeout(600_000);
  let manager: TestManager;
  let cfy: Cfy;

  before(async () => {
    [manager, cfy] = await Promise.all([startEmbeddedManager(), Cfy.make()]);
  });

  after(async () => {
    await cfy?.dispose();
    await manager?.stop();
  });

  it('are the same to the Python client', async () => {
    const python = join(await clientEnvironment(), 'python');
    const script = join(packageRoot(), 'test', 'compat', 'groups_client.py');
    const { hostname, port } = new URL(manager.url);
    const words = [script, hostname, port, 'admin', manager.password, blueprint];
    const { code, stdout, stderr } = await runProgram(python, words);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal({
      group: ['fleet', 'grouped', null, []],
      generated: true,
      creations: ['terminated', 'terminated'],
      inputs: { greeting: 'ho' },
      labels: ['a'],
      listed: [3],
      install: ['terminated', 3, 'install', 'fleet'],
      concurrency: 7,
      succeeded: 3,
      summary: [['terminated', 3]],
      cancelled: ['cancelled'],
      resumed: 'terminated',
      dumped: [3, 7],
      dependency: [true, true],
      cycle: ['CloudifyClientError', 'conflict_error', 409],
      needed: ['CloudifyClientError', 'dependent_exists_error', 400],
      many: 1,
      replaced: ['nodes.w'],
      dependencies: 0,
      modification: ['started', { why: 'load' }, true],
      second: ['ExistingStartedDeploymentModificationError', 'existing_started_deployment_modification_error', 400],
      finished: 'finished',
      speakers: 3,
      undone: 'rolledback',
      ended: ['DeploymentModificationAlreadyEndedError', 'deployment_modification_already_ended_error', 400],
      removed: false,
      groups: [],
    });
  });

  it('work with cfy', async () => {
    const { hostname, port } = new URL(manager.url);
    const credentials = ['-u', 'admin', '-p', manager.password, '-t', 'default_tenant'];
    await cfy.must('profiles', 'use', hostname, '--rest-port', port, ...credentials);
    const groups = ['deployments', 'groups'];
    await cfy.must(...groups, 'create', 'many', '-b', 'grouped', '-i', 'greeting=hi', '--description', 'some');
    expect(await cfy.must(...groups, 'extend', 'many', '--count', '2')).to.contain('It now contains 2 deployments');
    expect(await cfy.must(...groups, 'list')).to.match(/many\s*\|\s*2\s*\|\s*some\s*\|\s*grouped/);
    await cfy.must(...groups, 'labels', 'add', 'team:a', 'many');
    expect(await cfy.must(...groups, 'labels', 'list', 'many')).to.match(/team[^]*a/);

    const output = await cfy.must('executions', 'groups', 'start', '-g', 'many', 'install');
    expect(output).to.match(/Execution group \S+ started: running install on deployment group many \[concurrency=5\]/);
    expect(output).to.contain('Finished executing workflow install on deployment group many');
    const listed = await cfy.json<ListedGroup[]>('executions', 'groups', 'list');
    const install = listed.find(({ workflow_id: workflow }) => workflow === 'install')?.id ?? '';
    expect(await cfy.must('executions', 'groups', 'get', install)).to.contain('install');
    expect(await cfy.must('executions', 'groups', 'details', install)).to.match(/terminated/);
    await cfy.must('executions', 'groups', 'set-concurrency', install, '3');
    await cfy.must('executions', 'groups', 'resume', install);
    await cfy.must('executions', 'groups', 'cancel', install);

    await cfy.must(...groups, 'delete', 'many', '--delete-deployments', '--force');
    expect(await cfy.must(...groups, 'list')).to.not.contain('many');
  });
});
