import { expect } from 'chai';
import { changeExecutionStatus } from '../../src/store/executions.ts';
import { addExecution } from '../db/samples.ts';
import { RestService } from './kit.ts';
import { blueprintOf, UpdateDriver } from './update-kit.ts';

interface Execution {
  id: string;
  status: string;
  error: string;
  parameters: Record<string, unknown>;
  blueprint_id: string;
}

const mapping = 'default_workflows.cloudify.plugins.workflows.execute_operation';
const operation = { default: 'cloudify.interfaces.lifecycle.create' };

/** The workflow `report` as one blueprint has it; undefined = it has none. */
function workflows(parameters: object | undefined, rules?: object): Record<string, unknown> {
  const report = { mapping, parameters: { operation, ...parameters } };
  return parameters ? { workflows: { report: rules ? { ...report, availability_rules: rules } : report } } : {};
}

/** What the blueprint a deployment is updated to says of the workflow. */
const blueprints: Readonly<Record<string, Record<string, unknown>>> = {
  first: workflows({ level: { default: 1 } }),
  second: workflows({ level: { default: 2 }, added: { default: 'new' } }),
  without: workflows(undefined),
  strict: workflows({ level: { type: 'integer', default: 1 }, needed: { type: 'string' } }),
  closed: workflows({ level: { default: 1 } }, { available: false }),
};

describe('queued executions', function () {
  this.timeout(60_000);
  let rest: RestService;
  let driver: UpdateDriver;
  let count = 0;
  let open: () => void = () => undefined;
  let gate: Promise<void> = Promise.resolve();
  let reached: () => void = () => undefined;

  before(async () => {
    const run = async (): Promise<{ ok: true; result: null }> => {
      reached();
      await gate;
      return { ok: true, result: null };
    };
    rest = await RestService.start({ run, hasScheduler: true });
    driver = new UpdateDriver(rest);
    for (const [id, parts] of Object.entries(blueprints)) {
      const content = blueprintOf({ nodes: { web: { type: 'thing' } }, rest: parts });
      const answer = await rest.upload(id, { 'blueprint.yaml': content });
      expect(answer.json<{ state: string; error: string }>().state, answer.text).to.equal('uploaded');
    }
  });
  after(async () => {
    open();
    await rest?.stop();
  });
  beforeEach(() => {
    gate = Promise.resolve();
  });

  const start = async (deployment: string, workflow: string, more: object = {}): Promise<Execution> => {
    const body = { deployment_id: deployment, workflow_id: workflow, ...more };
    const answer = await rest.call('POST', '/executions', { body });
    expect(answer.status, answer.text).to.equal(201);
    return answer.json<Execution>();
  };
  const get = async (id: string): Promise<Execution> => (await rest.call('GET', `/executions/${id}`)).json<Execution>();

  /** An installed deployment of which an execution is in the middle of an operation until `open` is called. */
  const busyDeployment = async (): Promise<string> => {
    count += 1;
    const id = `d${count}`;
    await driver.deploy(id, 'first');
    gate = new Promise((resolve) => (open = resolve));
    const running = new Promise<void>((resolve) => (reached = resolve));
    await start(id, 'report');
    await running;
    return id;
  };

  /** Has `report` wait behind an update of its deployment to another blueprint. @returns how it ended */
  const afterUpdateTo = async (blueprint: string, more: object = {}): Promise<Execution> => {
    const deployment = await busyDeployment();
    const { execution_id: update } = await driver.initiate(deployment, {
      blueprint_id: blueprint,
      skip_reinstall: true,
    });
    const queued = await start(deployment, 'report', { queue: true, ...more });
    expect(queued.status).to.equal('queued');
    open();
    expect((await driver.ended(update)).status).to.equal('terminated');
    await driver.ended(queued.id);
    return get(queued.id);
  };

  it('a queued execution gets the defaults of the plan valid when it begins', async () => {
    const execution = await afterUpdateTo('second');
    expect(execution).to.include({ status: 'terminated', blueprint_id: 'second' });
    expect(execution.parameters).to.include({ level: 2, added: 'new' });
  });

  it('parameters that were given stay as they were given', async () => {
    const execution = await afterUpdateTo('second', { parameters: { level: 1 } });
    expect(execution.parameters).to.include({ level: 1, added: 'new' });
  });

  const refusals: [string, string, object, RegExp][] = [
    [
      'a queued execution whose workflow vanished becomes failed',
      'without',
      {},
      /Workflow report does not exist in the deployment d\d+ any more$/,
    ],
    [
      'a queued execution whose parameters do not fit any more becomes failed',
      'strict',
      { parameters: { level: 'high' } },
      /"level" must be of type integer/,
    ],
    [
      'a queued execution that lacks a parameter by now becomes failed',
      'strict',
      {},
      /must be provided with the following parameters to execute: needed/,
    ],
    [
      'a queued execution that is not available any more becomes failed',
      'closed',
      {},
      /Workflow not available: report$/,
    ],
  ];
  for (const [title, blueprint, more, error] of refusals) {
    it(title, async () => {
      const execution = await afterUpdateTo(blueprint, more);
      expect(execution.status).to.equal('failed');
      expect(execution.error)
        .to.match(/^Error dequeueing execution: /)
        .and.to.match(error);
      const { items } = (await rest.call('GET', `/events?execution_id=${execution.id}`)).json<{
        items: { event_type: string; message: string }[];
      }>();
      expect(items).to.have.length(1);
      expect(items[0]?.event_type).to.equal('workflow_failed');
      expect(items[0]?.message).to.contain(execution.error);
    });
  }

  it('the queue continues after an execution that cannot start', async () => {
    const deployment = await busyDeployment();
    await driver.initiate(deployment, { blueprint_id: 'without', skip_reinstall: true });
    const queued: Execution[] = [];
    for (let index = 0; index < 7; index += 1) {
      queued.push(await start(deployment, 'report', { queue: true }));
    }
    const last = { queue: true, parameters: { operation: operation.default } };
    queued.push(await start(deployment, 'execute_operation', last));
    open();
    const statuses: string[] = [];
    for (const { id } of queued) {
      statuses.push((await driver.ended(id)).status);
    }
    expect(statuses).to.deep.equal([...Array.from({ length: 7 }, () => 'failed'), 'terminated']);
    const answer = await driver.deployment<{ latest_execution_status: string }>(deployment);
    expect(answer.latest_execution_status).to.equal('completed');
  });

  describe('force is remembered while an execution is queued', () => {
    /** What was asked for while a system workflow runs, and has to wait for it therefore. */
    const duringSystemWorkflow = async (ask: () => Promise<void>): Promise<void> => {
      const system = await addExecution(rest.database, {
        workflowId: 'create_log_bundle',
        isSystemWorkflow: true,
        status: 'started',
      });
      await ask();
      await changeExecutionStatus(rest.database, system.id, { event: 'succeed' });
    };

    it('it starts beside another execution of its deployment, without regard to availability', async () => {
      const deployment = await busyDeployment();
      const forced: Execution[] = [];
      await duringSystemWorkflow(async () => {
        // not available while everything is started
        forced.push(
          await start(deployment, 'install', { force: true }),
          await start(deployment, 'stop', { force: true }),
        );
      });
      expect(forced.map(({ status }) => status)).to.deep.equal(['queued', 'queued']);
      // the one before them is still in the middle of its operation
      expect((await driver.ended(forced[0]?.id ?? '')).status).to.equal('terminated');
      open();
      expect((await driver.ended(forced[1]?.id ?? '')).status).to.equal('terminated');
    });

    it('an execution without force keeps waiting', async () => {
      const deployment = await busyDeployment();
      let careful: Execution | undefined;
      let forced: Execution | undefined;
      await duringSystemWorkflow(async () => {
        careful = await start(deployment, 'report', { queue: true });
        forced = await start(deployment, 'install', { force: true });
      });
      expect((await driver.ended(forced?.id ?? '')).status).to.equal('terminated');
      expect((await get(careful?.id ?? '')).status).to.equal('queued');
      open();
      expect((await driver.ended(careful?.id ?? '')).status).to.equal('terminated');
    });
  });
});
