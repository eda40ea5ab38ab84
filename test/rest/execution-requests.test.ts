import { expect } from 'chai';
import { createExecutionToken } from '../../src/security/tokens.ts';
import { addDeployment, addExecution, sampleOperations } from '../db/samples.ts';
import { RestService } from './kit.ts';

interface Execution {
  id: string;
  status: string;
  total_operations: number;
  finished_operations: number;
}

describe('requests about executions', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    // nothing runs by itself: each test says what has become of the executions
    rest = await RestService.start({ hasEngine: false });
  });

  after(() => rest?.stop());

  async function statusOf(id: string): Promise<string> {
    return (await rest.call('GET', `/executions/${id}`)).json<Execution>().status;
  }

  async function act(id: string, action: string): Promise<[number, string | undefined]> {
    const answer = await rest.call('POST', `/executions/${id}`, { body: { action } });
    return [answer.status, answer.json<{ error_code?: string }>().error_code];
  }

  it('requeue puts an execution that is about to start back into the queue', async () => {
    const { storageId } = await addDeployment(rest.database);
    const { id } = await addExecution(rest.database, { deploymentStorageId: storageId });
    expect(await act(id, 'requeue')).to.deep.equal([200, undefined]);
    expect(await statusOf(id)).to.equal('queued');
  });

  for (const status of ['terminated', 'failed', 'cancelled'] as const) {
    for (const action of ['kill', 'cancel', 'force-cancel', 'requeue']) {
      it(`${action} leaves an execution alone that is ${status}`, async () => {
        const { storageId } = await addDeployment(rest.database);
        const { id } = await addExecution(rest.database, { deploymentStorageId: storageId, status });
        expect(await act(id, action)).to.deep.equal([400, 'illegal_action_error']);
        expect(await statusOf(id)).to.equal(status);
      });
    }
  }

  it('tell whether an execution could run now', async () => {
    const { storageId } = await addDeployment(rest.database);
    const waiting = await addExecution(rest.database, { deploymentStorageId: storageId, status: 'queued' });
    const ask = async (): Promise<unknown> => (await rest.call('GET', `/executions/${waiting.id}/should-start`)).body;
    expect(await ask()).to.equal(true);
    const other = await addExecution(rest.database, { deploymentStorageId: storageId, status: 'started' });
    expect(await ask()).to.equal(false);
    await rest.database.query(`update executions set status = 'terminated' where id = $1`, [other.id]);
    expect(await ask()).to.equal(true);
  });

  it('delete ended executions by status, and keep the newest', async () => {
    const { storageId, id: deployment } = await addDeployment(rest.database);
    const add = async (workflowId: string, status: 'terminated' | 'failed' | 'started'): Promise<string> =>
      (await addExecution(rest.database, { deploymentStorageId: storageId, workflowId, status })).id;
    const creation = await add('create_deployment_environment', 'failed');
    const [oldest, failed, newest] = [
      await add('install', 'terminated'),
      await add('heal', 'failed'),
      await add('scale', 'terminated'),
    ];
    const running = await add('uninstall', 'started');
    const remove = async (query: string, body?: object): Promise<number | undefined> => {
      const answer = await rest.call('DELETE', `/executions?deployment_id=${deployment}${query}`, { body: body ?? {} });
      expect(answer.status, answer.text).to.equal(200);
      return answer.json<{ items: { count: number }[] }>().items[0]?.count;
    };
    const left = async (): Promise<string[]> => {
      const path = `/executions?deployment_id=${deployment}&_sort=created_at`;
      return (await rest.call('GET', path)).json<{ items: Execution[] }>().items.map(({ id }) => id);
    };
    expect(await remove('', { keep_last: 50 }), 'there are fewer than are to be kept').to.equal(0);
    expect(await remove('&status=failed&workflow_id=heal')).to.equal(1);
    expect(await left()).to.have.members([creation, oldest, newest, running]);
    expect(await remove('&status=terminated', { keep_last: 1 })).to.equal(1);
    expect(await left()).to.have.members([creation, newest, running]);
    expect(await remove(''), 'also where the only creation has failed').to.equal(2);
    expect(await left()).to.deep.equal([running]);
    expect(failed).not.to.equal(newest);
  });

  it('change graphs and operations, and count what is left', async () => {
    const { storageId } = await addDeployment(rest.database);
    const execution = await addExecution(rest.database, { deploymentStorageId: storageId, status: 'started' });
    const body = {
      name: 'mine',
      execution_id: execution.id,
      operations: sampleOperations(2).map(({ id, name, type, dependencies, parameters }, index) => ({
        ...{ id, name, type, dependencies, parameters },
        state: index === 0 ? 'succeeded' : 'pending',
      })),
    };
    const created = await rest.call('POST', '/tasks_graphs/tasks_graphs', { body });
    expect(created.status, created.text).to.equal(201);
    const graph = created.json<{ id: string }>().id;
    const counts = async (): Promise<number[]> => {
      const found = (await rest.call('GET', `/executions/${execution.id}`)).json<Execution>();
      return [found.total_operations, found.finished_operations];
    };
    expect(await counts()).to.deep.equal([2, 1]);
    const patched = await rest.call('PATCH', `/tasks_graphs/${graph}`, { body: { state: 'done' } });
    expect([patched.status, patched.json<{ id: string }>().id]).to.deep.equal([200, graph]);
    const [first, second] = body.operations;
    const removed = await rest.call('DELETE', `/operations/${first?.id ?? ''}`);
    expect([removed.status, removed.json<{ id: string }>().id]).to.deep.equal([200, first?.id]);
    expect(await counts()).to.deep.equal([1, 0]);
    expect((await rest.call('DELETE', `/operations/${second?.id ?? ''}`)).status).to.equal(200);
    expect(await counts()).to.deep.equal([0, 0]);
  });

  it('kill revokes the token of running operations, cancel does not', async () => {
    for (const [action, status] of [
      ['cancel', 200],
      ['force-cancel', 200],
      ['kill', 401],
    ] as const) {
      const { token, tokenHash } = createExecutionToken();
      const { storageId } = await addDeployment(rest.database);
      const { id } = await addExecution(rest.database, { deploymentStorageId: storageId, status: 'started' });
      await rest.database.query('update executions set token_hash = $1 where id = $2', [tokenHash, id]);
      expect((await rest.call('GET', '/nodes', { executionToken: token })).status).to.equal(200);
      expect(await act(id, action)).to.deep.equal([200, undefined]);
      expect((await rest.call('GET', '/nodes', { executionToken: token })).status, action).to.equal(status);
    }
  });
});
