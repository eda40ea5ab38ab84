import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { followExecution } from '../../src/client/follow.ts';
import { deploy, mustRun, runWorkflow } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';
import { until } from '../kit/until.ts';

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs:
  journal: {}
node_templates:
  worker:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: scripts/work.sh, inputs: {journal: {get_input: journal}}}
        delete: {implementation: scripts/delete.sh, inputs: {journal: {get_input: journal}}}
`;
const deleteScript = 'echo "deleted" >> "$journal"\n';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('operations that are scripts', function () {
  this.timeout(300_000);
  let manager: TestManager;
  let folder: string;
  let count = 0;

  before(async () => {
    manager = await startEmbeddedManager();
    folder = await mkdtemp(join(tmpdir(), 'gantry-scripts-'));
  });

  after(async () => {
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A deployment whose `create` runs a script; what scripts write into `$journal` is read with `lines`. */
  async function prepare(script: string): Promise<{ id: string; journal: string; lines: () => Promise<string[]> }> {
    count += 1;
    const id = `scripts${count}`;
    const journal = join(folder, id);
    await writeFile(journal, '');
    const files = { 'scripts/work.sh': script, 'scripts/delete.sh': deleteScript };
    await deploy(manager.client, id, blueprint, files, { journal });
    return { id, journal, lines: async () => (await readFile(journal, 'utf8')).split('\n').filter(Boolean) };
  }

  /** Starts an installation whose script writes its process id first, and waits for that. */
  async function startSleeper(): Promise<{
    executionId: string;
    pid: number;
    id: string;
    lines: () => Promise<string[]>;
  }> {
    const { id, lines } = await prepare('echo $$ >> "$journal"\nexec sleep 600\n');
    const execution = await manager.client.executions.start(id, 'install');
    await until('the script', async () => (await lines()).length > 0);
    return { executionId: execution.id, pid: Number((await lines())[0]), id, lines };
  }

  it('are tried again when they ask for it', async () => {
    const { id, lines } = await prepare(
      [
        'number=$(ctx operation retry-number)',
        'echo "attempt ${number:-0}" >> "$journal"',
        'if [ "${number:-0}" -lt 2 ]; then ctx operation retry "not yet" 0; fi',
      ].join('\n'),
    );
    await mustRun(manager.client, id, 'install');
    expect(await lines()).to.deep.equal(['attempt 0', 'attempt 1', 'attempt 2']);
  });

  it('say why they failed, without telling what the manager is made of', async () => {
    const { id } = await prepare('echo "the disk is full" >&2\nctx abort-operation "no room"\n');
    const { execution, events } = await runWorkflow(manager.client, id, 'install');
    expect(execution.status).to.equal('failed');
    expect(execution.error).to.match(/NonRecoverableError `no room`/);
    const failure = events.find(({ event_type: type }) => type === 'task_failed');
    expect(failure?.message).to.contain('no room');
    for (const text of [execution.error ?? '', ...events.map((event) => JSON.stringify(event))]) {
      expect(text).not.to.match(/script-plugin|operation-desk/);
    }
  });

  it('run once more when their failed execution is resumed after what was wrong is mended', async () => {
    const { id, journal, lines } = await prepare(
      'echo attempt >> "$journal"\n[ -e "$journal.mended" ] || ctx abort-operation "broken"\n',
    );
    const { execution } = await runWorkflow(manager.client, id, 'install');
    expect(execution.status).to.equal('failed');
    await writeFile(`${journal}.mended`, '');
    await manager.client.executions.act(execution.id, 'resume');
    const resumed = await followExecution(manager.client, execution.id, { patience: 60_000 });
    expect(resumed.status, resumed.error ?? '').to.equal('terminated');
    const { items: events } = await manager.client.executions.events({ filters: { execution_id: execution.id } });
    expect(events.filter(({ message }) => message.startsWith('Task failed'))).to.have.length(1);
    // creating was begun, so it is undone before it is tried again
    expect(await lines()).to.deep.equal(['attempt', 'deleted', 'attempt']);
  });

  it('go on when their execution is cancelled, and are not started twice when it is resumed', async () => {
    const { executionId, pid, lines } = await startSleeper();
    await manager.client.executions.act(executionId, 'cancel');
    expect((await followExecution(manager.client, executionId, { patience: 60_000 })).status).to.equal('cancelled');
    expect(isAlive(pid)).to.equal(true);
    await manager.client.executions.act(executionId, 'resume');
    await until(
      'the resumed execution',
      async () => (await manager.client.executions.get(executionId)).status === 'started',
    );
    process.kill(pid);
    await manager.client.executions.act(executionId, 'kill');
    await followExecution(manager.client, executionId, { patience: 60_000 });
    expect((await lines())[0]).to.equal(String(pid));
  });

  for (const action of ['kill'] as const) {
    it(`end when their execution is ended (${action}), and run again when it is resumed`, async () => {
      const { executionId, pid, lines } = await startSleeper();
      await manager.client.executions.act(executionId, action);
      expect((await followExecution(manager.client, executionId, { patience: 60_000 })).status).to.equal('cancelled');
      await until('the end of the script', async () => Promise.resolve(!isAlive(pid)));
      await manager.client.executions.act(executionId, 'resume');
      await until('the script again', async () => (await lines()).filter((line) => line !== 'deleted').length > 1);
      await manager.client.executions.act(executionId, action);
      expect((await followExecution(manager.client, executionId, { patience: 60_000 })).status).to.equal('cancelled');
    });
  }

  it('do not run in a dry run', async () => {
    const { id, lines } = await prepare('echo attempt >> "$journal"\n');
    const { events } = await mustRun(manager.client, id, 'install', { dryRun: true });
    expect(await lines()).to.deep.equal([]);
    expect(events.map(({ message }) => message)).to.include("'install' workflow execution succeeded (dry run)");
    const { items } = await manager.client.deployments.nodeInstances({ filters: { deployment_id: id } });
    expect(items.map(({ state }) => state)).to.deep.equal(['uninitialized']);
  });

  it('run alone with execute_operation', async () => {
    const { id, lines } = await prepare('echo attempt >> "$journal"\n');
    const parameters = { operation: 'cloudify.interfaces.lifecycle.create', operation_kwargs: {} };
    await mustRun(manager.client, id, 'execute_operation', { parameters });
    expect(await lines()).to.deep.equal(['attempt']);
  });
});
