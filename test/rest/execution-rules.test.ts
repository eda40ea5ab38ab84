import { expect } from 'chai';
import type { OperationRequest } from '../../src/runtime/types.ts';
import { changeExecutionStatus, createExecutions } from '../../src/store/executions.ts';
import { until } from '../kit/until.ts';
import { RestService } from './kit.ts';

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
plugins: { test: { executor: central_deployment_agent, install: false } }
workflows:
  repeat:
    mapping: default_workflows.cloudify.plugins.workflows.execute_operation
    parameters:
      operation: { default: cloudify.interfaces.lifecycle.create }
      operation_kwargs: { default: {} }
      allow_kwargs_override: { default: true }
      run_by_dependency_order: { default: false }
      type_names: { default: [] }
      node_ids: { default: [] }
      node_instance_ids: { default: [] }
      size: { type: integer, required: false, constraints: [{ less_than: 100 }] }
node_templates:
  web:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle: { create: test.create }
`;

interface Execution {
  id: string;
  status: string;
  deployment_id: string;
}

describe('rules of executions', function () {
  this.timeout(60_000);
  let rest: RestService;
  let count = 0;
  let open: () => void = () => undefined;
  let gate: Promise<void> = Promise.resolve();
  const inputs: unknown[] = [];

  before(async () => {
    const run = async (request: OperationRequest): Promise<{ ok: true; result: null }> => {
      inputs.push(request.inputs);
      await gate;
      return { ok: true, result: null };
    };
    rest = await RestService.start({ run, hasScheduler: true });
    await rest.upload('b', { 'blueprint.yaml': blueprint });
  });
  after(async () => {
    open();
    await rest?.stop();
  });
  beforeEach(() => {
    gate = new Promise((resolve) => (open = resolve));
  });

  const newDeployment = async (): Promise<string> => {
    count += 1;
    const answer = await rest.call('PUT', `/deployments/d${count}`, { body: { blueprint_id: 'b' } });
    expect(answer.status, answer.text).to.equal(201);
    return `d${count}`;
  };
  const start = async (deployment: string, more: object = {}): Promise<Execution & { error_code?: string }> =>
    (
      await rest.call('POST', '/executions', { body: { deployment_id: deployment, workflow_id: 'install', ...more } })
    ).json();
  const statusOf = async ({ id }: Execution): Promise<string> =>
    (await rest.call('GET', `/executions/${id}`)).json<Execution>().status;
  const reaches = (execution: Execution, status: string): Promise<unknown> =>
    until(`${execution.id} to be ${status}`, async () => (await statusOf(execution)) === status);

  it('functions in parameters are evaluated when the execution begins, unless they read a secret', async () => {
    await rest.call('PUT', '/secrets/hush', { body: { value: 'a-value-nobody-sees' } });
    const deployment = await newDeployment();
    open();
    await reaches(await start(deployment), 'terminated');
    const begin = (parameters: object): Promise<Execution> => start(deployment, { workflow_id: 'repeat', parameters });
    const given = {
      size: { concat: ['4', '2'] },
      operation_kwargs: {
        state: [{ concat: ['it is ', { get_sys: ['deployment', 'id'] }] }],
        word: { concat: ['say ', { get_secret: 'hush' }] },
      },
    };
    const execution = await begin(given);
    await reaches(execution, 'terminated');
    const { parameters } = (await rest.call('GET', `/executions/${execution.id}`)).json<{
      parameters: { size: number; operation_kwargs: { state: string[]; word: object } };
    }>();
    expect(parameters.size).to.equal(42);
    expect(parameters.operation_kwargs.state[0]).to.equal(`it is ${deployment}`);
    expect(parameters.operation_kwargs.word).to.deep.equal(given.operation_kwargs.word);
    expect(inputs.at(-1)).to.deep.include({ ...parameters.operation_kwargs, word: given.operation_kwargs.word });

    for (const [wrong, message] of [
      [{ size: { concat: ['4', '2', '0'] } }, 'does not meet its constraints'],
      [{ size: { concat: ['many'] } }, 'must be of type integer'],
      [{ operation_kwargs: { x: { get_attribute: ['nowhere', 'x'] } } }, 'nowhere'],
    ] as const) {
      const failing = await begin(wrong);
      await reaches(failing, 'failed');
      const { error } = (await rest.call('GET', `/executions/${failing.id}`)).json<{ error: string }>();
      expect(error).to.contain('The parameters cannot be evaluated').and.contain(message);
    }
  });

  it('a second execution of a deployment is refused, waits with queue, and runs beside it with force', async () => {
    const deployment = await newDeployment();
    const first = await start(deployment);
    await reaches(first, 'started');
    expect((await start(deployment)).error_code).to.equal('existing_running_execution_error');
    const queued = await start(deployment, { queue: true });
    expect(queued.status).to.equal('queued');
    const forced = await start(deployment, { force: true });
    await reaches(forced, 'started');
    expect(await statusOf(queued)).to.equal('queued');
    open();
    await reaches(first, 'terminated');
    await reaches(queued, 'terminated');
  });

  it('while a system workflow runs or waits every new execution waits, and its deployment cannot be deleted', async () => {
    open();
    const [deployment, other] = [await newDeployment(), await newDeployment()];
    const common = { tenantId: 0, creatorId: 0, visibility: 'tenant', parameters: {}, isSystemWorkflow: true } as const;
    const [system] = await createExecutions(rest.database, [
      { ...common, id: 'system', workflowId: 'create_log_bundle', status: 'started' },
    ]);
    const waiting = [await start(deployment), await start(other, { force: true })];
    expect(waiting.map(({ status }) => status)).to.deep.equal(['queued', 'queued']);
    const deletion = await rest.call('DELETE', `/deployments/${deployment}?force=true`);
    expect(deletion.json()).to.include({ error_code: 'dependent_exists_error' });
    await changeExecutionStatus(rest.database, system?.id ?? '', { event: 'succeed' });
    await Promise.all(waiting.map((execution) => reaches(execution, 'terminated')));
  });

  it('a cancellation reaches what runs or waits on components, and on theirs', async () => {
    const [whole, part, innermost, stranger] = [
      await newDeployment(),
      await newDeployment(),
      await newDeployment(),
      await newDeployment(),
    ];
    for (const [source, target, creator] of [
      [whole, part, 'component.part_1'],
      [part, innermost, 'component.innermost_1'],
      [whole, stranger, 'sharedresource.stranger_1'],
    ] as const) {
      const body = { dependency_creator: creator, source_deployment: source, target_deployment: target };
      const answer = await rest.call('PUT', '/deployments/inter-deployment-dependencies', { body });
      expect(answer.status, answer.text).to.equal(200);
    }
    const executions = [await start(whole), await start(part), await start(innermost)];
    const queued = await start(innermost, { queue: true });
    const unrelated = await start(stranger);
    await Promise.all([...executions, unrelated].map((execution) => reaches(execution, 'started')));
    await rest.call('POST', `/executions/${executions[0]?.id ?? ''}`, { body: { action: 'cancel' } });
    await Promise.all([...executions, queued].map((execution) => reaches(execution, 'cancelled')));
    expect(await statusOf(unrelated)).to.equal('started');
    open();
    await reaches(unrelated, 'terminated');
  });

  it('executions of different deployments run in parallel', async () => {
    const executions = [await start(await newDeployment()), await start(await newDeployment())];
    await Promise.all(executions.map((execution) => reaches(execution, 'started')));
    open();
    await Promise.all(executions.map((execution) => reaches(execution, 'terminated')));
  });

  it('a queued execution that is cancelled never runs and ends cancelled', async () => {
    const deployment = await newDeployment();
    const first = await start(deployment);
    const queued = await start(deployment, { queue: true });
    await rest.call('POST', `/executions/${queued.id}`, { body: { action: 'cancel' } });
    expect(await statusOf(queued)).to.equal('cancelled');
    open();
    await reaches(first, 'terminated');
    expect(await statusOf(queued)).to.equal('cancelled');
  });

  it('a deployment that runs something cannot be deleted, nor one with live node instances unless forced', async () => {
    const deployment = await newDeployment();
    const first = await start(deployment);
    await reaches(first, 'started');
    const busy = await rest.call('DELETE', `/deployments/${deployment}?force=true`);
    expect([busy.status, busy.json<{ error_code: string }>().error_code]).to.deep.equal([
      400,
      'dependent_exists_error',
    ]);
    open();
    await reaches(first, 'terminated');
    const live = await rest.call('DELETE', `/deployments/${deployment}`);
    expect(live.status, live.text).to.equal(400);
    const forced = await rest.call('DELETE', `/deployments/${deployment}?force=true`);
    expect(forced.status, forced.text).to.be.oneOf([200, 204]);
  });

  it('an ended execution never changes again', async () => {
    open();
    const execution = await start(await newDeployment());
    await reaches(execution, 'terminated');
    for (const action of ['cancel', 'force-cancel', 'kill', 'resume', 'pause']) {
      const answer = await rest.call('POST', `/executions/${execution.id}`, { body: { action } });
      expect(answer.status, action).to.be.oneOf([400, 409]);
    }
    const reported = await rest.call('PATCH', `/executions/${execution.id}`, { body: { status: 'started' } });
    expect(reported.status).to.equal(400);
    expect(await statusOf(execution)).to.equal('terminated');
  });

  it('a deployment is good once all node instances are started, and cancelling does not change that', async () => {
    open();
    const deployment = await newDeployment();
    await reaches(await start(deployment), 'terminated');
    const status = async (): Promise<string> =>
      (await rest.call('GET', `/deployments/${deployment}`)).json<{ deployment_status: string }>().deployment_status;
    expect(await status()).to.equal('good');
    gate = new Promise((resolve) => (open = resolve));
    const restart = await start(deployment, {
      workflow_id: 'execute_operation',
      parameters: { operation: 'cloudify.interfaces.lifecycle.create' },
    });
    await reaches(restart, 'started');
    expect(await status()).to.equal('in_progress');
    await rest.call('POST', `/executions/${restart.id}`, { body: { action: 'cancel' } });
    await reaches(restart, 'cancelled');
    expect(await status()).to.equal('good');
  });
});
