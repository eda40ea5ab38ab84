import { expect } from 'chai';
import { changeExecutionStatus } from '../../src/store/executions.ts';
import { addExecution } from '../db/samples.ts';
import { until } from '../kit/until.ts';
import { RestService } from './kit.ts';
import type { Answer } from './kit.ts';
import { UpdateDriver } from './update-kit.ts';

describe('deleting deployments', function () {
  this.timeout(60_000);
  let rest: RestService;
  let driver: UpdateDriver;
  let open: () => void = () => undefined;
  let gate: Promise<void> = Promise.resolve();

  before(async () => {
    const run = async (): Promise<{ ok: true; result: null }> => {
      await gate;
      return { ok: true, result: null };
    };
    rest = await RestService.start({ run, hasScheduler: true });
    driver = new UpdateDriver(rest);
    await driver.upload('b', { nodes: { web: { type: 'thing' } } });
  });
  after(async () => {
    open();
    await rest?.stop();
  });
  beforeEach(() => {
    gate = Promise.resolve();
  });

  /** A deployment of which nothing is installed. */
  const create = async (id: string, ...parents: string[]): Promise<void> => {
    const labels = parents.map((parent) => ({ 'csys-obj-parent': parent }));
    const answer = await rest.call('PUT', `/deployments/${id}`, { body: { blueprint_id: 'b', labels } });
    expect(answer.status, answer.text).to.equal(201);
  };
  const remove = (id: string, query = ''): Promise<Answer> => rest.call('DELETE', `/deployments/${id}?${query}`);
  const exists = async (id: string): Promise<boolean> => (await rest.call('GET', `/deployments/${id}`)).status === 200;
  const gone = (id: string): Promise<unknown> => until(`${id} to be gone`, async () => !(await exists(id)));
  const those = async (...ids: string[]): Promise<string[]> => {
    const found = await Promise.all(ids.map(exists));
    return ids.filter((_, index) => found[index]);
  };

  interface Execution {
    id: string;
    status: string;
    error: string;
    parameters: object;
  }
  /** The execution that deletes a deployment. */
  const deletionOf = async (id: string): Promise<Execution> => {
    const path = `/executions?deployment_id=${id}&workflow_id=delete_deployment_environment`;
    const [execution] = (await rest.call('GET', path)).json<{ items: Execution[] }>().items;
    expect(execution, `deletion of ${id}`).not.to.equal(undefined);
    return execution as Execution;
  };

  it('refuses a deployment that has services, unless they go, too', async () => {
    await create('home');
    await create('lodger', 'home');
    const answer = await remove('home');
    expect(answer.status).to.equal(400);
    expect(answer.text).to.contain('Deployment `home` is the parent of deployment lodger');
    expect((await remove('home', 'recursive=true')).status).to.equal(204);
    await gone('home');
    expect(await those('home', 'lodger')).to.deep.equal([]);
  });

  it('recursive deletes services of services, and nothing else', async () => {
    await create('top');
    await create('middle-1', 'top');
    await create('middle-2', 'top');
    await create('bottom', 'middle-1', 'middle-2');
    await create('beside');
    expect((await remove('top', 'recursive=true&delete_logs=true')).status).to.equal(204);
    await gone('top');
    expect(await those('top', 'middle-1', 'middle-2', 'bottom', 'beside')).to.deep.equal(['beside']);
  });

  it('deletes none when one of the services may not be deleted', async () => {
    await create('whole');
    await create('free', 'whole');
    await create('up', 'whole');
    await driver.execute('up', 'install');
    expect((await remove('whole', 'recursive=true&delete_logs=true')).status).to.equal(204);
    const { id, parameters } = await deletionOf('whole');
    const { status, error } = await driver.ended(id);
    expect(status).to.equal('failed');
    expect(error).to.match(/^Can't delete deployment up - There are live nodes for this deployment/);
    expect(parameters).to.deep.equal({ delete_logs: true, force: false, recursive: true });
    expect(await those('whole', 'free', 'up')).to.deep.equal(['whole', 'free', 'up']);
    const { deployment_status: shown } = await driver.deployment<{ deployment_status: string }>('whole');
    expect(shown).to.equal('requires_attention');
  });

  it('a deletion that failed is resumed when the reason is gone', async () => {
    await driver.execute('up', 'uninstall');
    const { id } = await deletionOf('whole');
    expect((await rest.call('POST', `/executions/${id}`, { body: { action: 'resume' } })).status).to.equal(200);
    await gone('whole');
    expect(await those('whole', 'free', 'up')).to.deep.equal([]);
  });

  it('force deletes installed services', async () => {
    await create('old');
    await create('installed', 'old');
    await driver.execute('installed', 'install');
    expect((await remove('old', 'recursive=true&force=true')).status).to.equal(204);
    await gone('old');
    expect(await those('installed')).to.deep.equal([]);
  });

  it('force deletes the deployment although its services have to stay', async () => {
    await create('hurried');
    await create('running', 'hurried');
    await create('idle', 'hurried');
    gate = new Promise((resolve) => (open = resolve));
    const body = { deployment_id: 'running', workflow_id: 'install' };
    const { id } = (await rest.call('POST', '/executions', { body })).json<Execution>();
    expect((await remove('hurried', 'recursive=true&force=true')).status).to.equal(204);
    await gone('hurried');
    expect(await those('running', 'idle')).to.deep.equal(['running', 'idle']);
    open();
    expect((await driver.ended(id)).status).to.equal('terminated');
  });

  it('a group goes with its deployments, also when many of them wait for others of it', async () => {
    const parents = Array.from({ length: 6 }, (_, index) => `parent-${index}`);
    for (const id of parents) {
      await create(id);
    }
    for (const id of parents) {
      await create(`${id}-child`, id);
    }
    const ids = parents.flatMap((id) => [id, `${id}-child`]);
    await rest.call('PUT', '/deployment-groups/families', { body: { deployment_ids: ids } });
    const answer = await rest.call('DELETE', '/deployment-groups/families?delete_deployments=true&recursive=true');
    expect(answer.status, answer.text).to.equal(200);
    await Promise.all(ids.map(gone));
  });

  it('waits while a system workflow runs', async () => {
    await create('patient');
    const workflowId = 'create_log_bundle';
    const system = await addExecution(rest.database, { workflowId, isSystemWorkflow: true, status: 'started' });
    expect((await remove('patient')).status).to.equal(204);
    expect((await deletionOf('patient')).status).to.equal('queued');
    await changeExecutionStatus(rest.database, system.id, { event: 'succeed' });
    await gone('patient');
  });
});
