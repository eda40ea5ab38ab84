import { expect } from 'chai';
import { orderUpdate } from '../../src/executor/system/update/order-update.ts';
import type { SystemWorkflowContext } from '../../src/executor/system-workflow.ts';
import { operationError } from '../../src/domain/operation-error.ts';
import { findExecution } from '../../src/store/executions.ts';
import type { OperationFunction } from '../kit/engine.ts';
import { until } from '../kit/until.ts';
import { RestService } from './kit.ts';
import { UpdateDriver } from './update-kit.ts';

interface Execution {
  id: string;
  status: string;
  error: string;
  workflow_id: string;
  deployment_id: string;
}
interface Group {
  id: string;
  status: string;
  execution_ids: string[];
}

describe('updates of groups', function () {
  this.timeout(60_000);
  let rest: RestService;
  let driver: UpdateDriver;
  let busy = 0;
  let busiest = 0;
  const failing = new Set<string>();

  /** Fails on deployments that were named, and counts those on which something runs. */
  const run: OperationFunction = async ({ context }) => {
    busy += 1;
    busiest = Math.max(busiest, busy);
    await new Promise((resolve) => setImmediate(resolve));
    busy -= 1;
    return failing.has(context.deployment_id ?? '')
      ? { ok: false, error: operationError({ kind: 'NonRecoverableError', message: 'told to fail' }) }
      : { ok: true, result: null };
  };

  before(async () => {
    rest = await RestService.start({ run, hasScheduler: true });
    driver = new UpdateDriver(rest);
    await driver.upload('small', { nodes: { web: { type: 'thing' } } });
    await driver.upload('large', { nodes: { web: { type: 'thing' }, more: { type: 'thing' } } });
  });
  after(() => rest?.stop());
  beforeEach(() => {
    failing.clear();
    busiest = 0;
  });

  async function call<Shape>(method: string, path: string, body: object): Promise<Shape> {
    const answer = await rest.call(method, path, { body });
    expect(answer.status, answer.text).to.be.lessThan(300);
    return answer.json<Shape>();
  }

  /** A group of three installed deployments. */
  const fleet = async (id: string): Promise<string[]> => {
    const deployments = [1, 2, 3].map((index) => `${id}-${index}`);
    for (const deployment of deployments) {
      await driver.deploy(deployment, 'small');
    }
    await call('PUT', `/deployment-groups/${id}`, { deployment_ids: deployments });
    busiest = 0;
    return deployments;
  };

  /** Starts an update as clients do, who say null where they say nothing. */
  const start = (group: string, parameters: object, concurrency: number): Promise<Group> =>
    call('POST', '/execution-groups', {
      deployment_group_id: group,
      workflow_id: 'csys_update_deployment',
      default_parameters: { workflow_id: null, inputs: {}, reinstall_list: [], update_plugins: true, ...parameters },
      concurrency,
    });
  const ended = async ({ id }: Group): Promise<Group> =>
    until(`group ${id} to end`, async () => {
      const group = (await rest.call('GET', `/execution-groups/${id}`)).json<Group>();
      return ['terminated', 'failed', 'cancelled'].includes(group.status) ? group : undefined;
    });
  const membersOf = async ({ id }: Group): Promise<Execution[]> =>
    (await rest.call('GET', `/executions?_group_id=${id}`)).json<{ items: Execution[] }>().items;
  const blueprintOf = async (id: string): Promise<string> =>
    (await driver.deployment<{ blueprint_id: string }>(id)).blueprint_id;

  it('update every deployment, as many at once as the group lets', async () => {
    const deployments = await fleet('calm');
    const group = await ended(await start('calm', { blueprint_id: 'large' }, 1));
    expect(group.status).to.equal('terminated');
    expect(await Promise.all(deployments.map(blueprintOf))).to.deep.equal(['large', 'large', 'large']);
    expect(busiest).to.equal(1);
    const members = await membersOf(group);
    expect(members.map(({ status }) => status)).to.deep.equal(Array.from({ length: 6 }, () => 'terminated'));
    for (const workflow of ['csys_update_deployment', 'update']) {
      const own = members.filter(({ workflow_id: id }) => id === workflow);
      expect(own.map(({ deployment_id: id }) => id).sort(), workflow).to.deep.equal(deployments);
    }
  });

  it('one that fails does not keep the others from it, and each deployment joins the group for its outcome', async () => {
    const deployments = await fleet('mixed');
    await call('PUT', '/deployment-groups/good', {});
    await call('PUT', '/deployment-groups/bad', {});
    const started = await start('mixed', { blueprint_id: 'large' }, 0);
    failing.add('mixed-2');
    const change = { success_group_id: 'good', failure_group_id: 'bad', concurrency: 3 };
    await call('PATCH', `/execution-groups/${started.id}`, change);
    expect((await ended(started)).status).to.equal('failed');
    const outcome = async (id: string): Promise<string[]> =>
      (await rest.call('GET', `/deployment-groups/${id}`)).json<{ deployment_ids: string[] }>().deployment_ids.sort();
    expect(await outcome('good')).to.deep.equal(['mixed-1', 'mixed-3']);
    expect(await outcome('bad')).to.deep.equal(['mixed-2']);
    const path = '/deployment-updates?deployment_id=mixed-2';
    const [update] = (await rest.call('GET', path)).json<{ items: { state: string }[] }>().items;
    expect(update?.state).to.equal('failed');
    failing.clear();
    expect(await Promise.all(deployments.map((id) => blueprintOf(id)))).to.have.length(3);
    await call('POST', `/execution-groups/${started.id}`, { action: 'resume' });
    expect((await ended(started)).status).to.equal('terminated');
    expect(await outcome('good')).to.deep.equal(['mixed-1', 'mixed-2', 'mixed-3']);
  });

  const refusals: [string, object, RegExp][] = [
    ['a blueprint that is not there', { blueprint_id: 'nowhere' }, /Blueprint.*nowhere.*not found/],
    ['a parameter of the wrong kind', { skip_install: 7 }, /Parameter `skip_install` of the update/],
    ['inputs that are no mapping', { inputs: [1] }, /Parameter `inputs` of the update must be object/],
  ];
  it('say what is wrong with them', async () => {
    await driver.deploy('single', 'small');
    await call('PUT', '/deployment-groups/alone', { deployment_ids: ['single'] });
    for (const [what, parameters, error] of refusals) {
      const group = await ended(await start('alone', parameters, 5));
      const [member, ...others] = await membersOf(group);
      expect(others, what).to.deep.equal([]);
      expect(member?.status, what).to.equal('failed');
      expect(member?.error, what).to.match(error);
    }
  });

  it('start one update however often they are taken up again', async () => {
    await call('PUT', '/deployment-groups/again', { deployment_ids: ['single'] });
    const group = await ended(await start('again', { blueprint_id: 'large' }, 5));
    const members = await membersOf(group);
    const id = members.find(({ workflow_id: workflow }) => workflow === 'csys_update_deployment')?.id ?? '';
    const sent: unknown[] = [];
    const execution = await findExecution(rest.database, id);
    const context = {
      execution,
      transaction: (work: never) => rest.database.transaction(work),
      publish: async (messages: readonly unknown[]) => void sent.push(...messages),
      log: () => undefined,
    } as unknown as SystemWorkflowContext;
    await orderUpdate(context);
    expect(sent).to.deep.equal([]);
    expect((await membersOf(group)).map((member) => member.id)).to.deep.equal(members.map((member) => member.id));
  });
});
