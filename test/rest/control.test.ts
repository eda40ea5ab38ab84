import { expect } from 'chai';
import { operationError } from '../../src/domain/operation-error.ts';
import type { OperationOutcome, OperationRequest } from '../../src/runtime/types.ts';
import { until } from '../kit/until.ts';
import { RestService } from './kit.ts';

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
plugins: { test: { executor: central_deployment_agent, install: false } }
node_templates:
  db:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: test.create
        start: { implementation: test.start, inputs: { port: 1 } }
  app:
    type: cloudify.nodes.Root
    relationships: [{ type: cloudify.relationships.depends_on, target: db }]
    interfaces:
      cloudify.interfaces.lifecycle:
        create: { implementation: test.create, max_retries: 0 }
  side:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: test.create
`;

interface Operation {
  id: string;
  operation: string;
  node_id: string;
  state: string;
  is_held: boolean;
  retry_number: number;
  retried_operation: string | null;
  error: string | null;
  worker: string | null;
  inputs: Record<string, unknown>;
  decision: { action: string; by: string; reason?: string } | null;
}

interface Execution {
  id: string;
  status: string;
  status_display: string;
  error: string | null;
  finished_operations: number;
  total_operations: number;
}

/** What operations do, by `node.operation`; unless told otherwise they succeed. */
class Worker {
  readonly runs: { key: string; inputs: Record<string, unknown> }[] = [];
  readonly #held = new Map<string, (() => void)[]>();
  readonly #failing = new Set<string>();

  readonly run = async ({ context, inputs }: OperationRequest): Promise<OperationOutcome> => {
    const key = `${context.node_name ?? ''}.${context.operation?.name.split('.').at(-1) ?? ''}`;
    this.runs.push({ key, inputs });
    const waiting = this.#held.get(key);
    if (waiting) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    return this.#failing.has(key)
      ? { ok: false, error: operationError({ kind: 'NonRecoverableError', message: `${key} is broken` }) }
      : { ok: true, result: null };
  };

  hold(key: string): void {
    this.#held.set(key, []);
  }

  release(key: string): void {
    const waiting = this.#held.get(key) ?? [];
    this.#held.delete(key);
    waiting.forEach((resolve) => resolve());
  }

  fail(key: string): void {
    this.#failing.add(key);
  }

  repair(key: string): void {
    this.#failing.delete(key);
  }

  keys(): string[] {
    return this.runs.map(({ key }) => key).filter((key) => key !== 'side.create');
  }

  reset(): void {
    this.runs.length = 0;
    this.#failing.clear();
    [...this.#held.keys()].forEach((key) => this.release(key));
  }
}

describe('control of executions', function () {
  this.timeout(60_000);
  let rest: RestService;
  const worker = new Worker();
  let count = 0;
  let deployment = '';

  before(async () => {
    rest = await RestService.start({ run: worker.run });
    await rest.upload('b', { 'blueprint.yaml': blueprint });
  });
  after(() => rest?.stop());
  beforeEach(async () => {
    worker.reset();
    count += 1;
    deployment = `d${count}`;
    const answer = await rest.call('PUT', `/deployments/${deployment}`, { body: { blueprint_id: 'b' } });
    expect(answer.status, answer.text).to.equal(201);
  });

  async function call<Shape>(method: string, path: string, body?: unknown, status = 200): Promise<Shape> {
    const answer = await rest.call(method, path, body === undefined ? {} : { body });
    expect(answer.status, answer.text).to.equal(status);
    return answer.json<Shape>();
  }

  const start = (more: object = {}): Promise<Execution> =>
    call('POST', '/executions', { deployment_id: deployment, workflow_id: 'install', ...more }, 201);
  const get = ({ id }: Execution): Promise<Execution> => call('GET', `/executions/${id}`);
  const act = ({ id }: Execution, action: string): Promise<Execution> => call('POST', `/executions/${id}`, { action });
  const operations = async ({ id }: Execution): Promise<Operation[]> =>
    (await call<{ items: Operation[] }>('GET', `/executions/${id}/operations`)).items;
  const find = async (execution: Execution, key: string): Promise<Operation> => {
    const found = (await operations(execution)).filter(
      ({ node_id: node, operation }) => `${node}.${operation.split('.').at(-1) ?? ''}` === key,
    );
    const last = found.at(-1);
    if (!last) {
      throw new Error(`No operation ${key}`);
    }
    return last;
  };
  const decide = (execution: Execution, operation: Operation, body: object, status = 200): Promise<Operation> =>
    call('POST', `/executions/${execution.id}/operations/${operation.id}`, body, status);
  const running = (key: string): Promise<unknown> => until(key, () => worker.keys().includes(key));
  const held = (execution: Execution, key: string): Promise<unknown> =>
    until(`${key} to be held`, async () =>
      (await operations(execution)).some(
        ({ node_id: node, operation, is_held: isHeld }) =>
          isHeld && key === `${node}.${operation.split('.').at(-1) ?? ''}`,
      ),
    );
  const ended = async (execution: Execution): Promise<Execution> =>
    until('the end', async () => {
      const now = await get(execution);
      return ['terminated', 'failed', 'cancelled'].includes(now.status) ? now : undefined;
    });
  const messages = async ({ id }: Execution): Promise<string[]> =>
    (await call<{ items: { message: string }[] }>('GET', `/events?execution_id=${id}&_size=500`)).items.map(
      ({ message }) => message,
    );

  describe('by pausing', () => {
    it('lets running operations finish, starts nothing new, and continues where it was', async () => {
      worker.hold('db.create');
      const execution = await start({ breakpoints: [{ node_id: 'side' }] });
      await running('db.create');
      await held(execution, 'side.create');
      expect(await act(execution, 'pause')).to.include({ status: 'started', status_display: 'paused' });
      // what is let through after the pause shows that the pause has been heard of
      await decide(execution, await find(execution, 'side.create'), { action: 'step' });
      await until('the step', () => worker.runs.some(({ key }) => key === 'side.create'));
      worker.release('db.create');
      await held(execution, 'db.start');
      expect((await find(execution, 'db.create')).state).to.equal('succeeded');
      expect(worker.keys()).to.deep.equal(['db.create']);
      const started = await call<{ items: Execution[] }>(
        'GET',
        `/executions?status=started&deployment_id=${deployment}`,
      );
      expect(started.items.map(({ id }) => id)).to.deep.equal([execution.id]);
      await act(execution, 'unpause');
      expect(await ended(execution)).to.include({ status: 'terminated', status_display: 'completed' });
      expect(worker.keys()).to.deep.equal(['db.create', 'db.start', 'app.create']);
      expect(await messages(execution)).to.include.members([
        'Execution paused by admin',
        'Execution unpaused by admin',
      ]);
    });

    it('can be cancelled while paused, and be resumed afterwards', async () => {
      worker.hold('db.create');
      const execution = await start();
      await running('db.create');
      await act(execution, 'pause');
      await act(execution, 'cancel');
      expect(await ended(execution)).to.include({ status: 'cancelled' });
      worker.release('db.create');
      await act(execution, 'resume');
      expect(await ended(execution)).to.include({ status: 'terminated' });
    });

    it('is refused where there is nothing to pause', async () => {
      const execution = await ended(await start());
      const answer = await rest.call('POST', `/executions/${execution.id}`, { body: { action: 'pause' } });
      expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([
        400,
        'illegal_action_error',
      ]);
    });
  });

  describe('by breakpoints', () => {
    it('stops before an operation, takes other inputs, and steps over it', async () => {
      const execution = await start({ breakpoints: [{ operation: 'start', node_id: 'db' }] });
      await held(execution, 'db.start');
      expect(worker.keys()).to.deep.equal(['db.create']);
      await until('the event', async () =>
        (await messages(execution)).some((message) =>
          /^Breakpoint reached before cloudify\.interfaces\.lifecycle\.start of db_/.test(message),
        ),
      );
      const operation = await find(execution, 'db.start');
      expect(operation.inputs).to.deep.equal({ port: 1 });
      const edited = await decide(execution, operation, { action: 'edit', inputs: { port: 2 } });
      expect(edited.inputs).to.deep.equal({ port: 2 });
      expect(worker.keys()).to.deep.equal(['db.create']);
      await decide(execution, operation, { action: 'step' });
      expect(await ended(execution)).to.include({ status: 'terminated' });
      expect(worker.runs.find(({ key }) => key === 'db.start')?.inputs).to.deep.equal({ port: 2 });
    });

    it('can be set while it runs, release everything at once, and can be removed', async () => {
      worker.hold('db.create');
      const execution = await start({ breakpoints: [{ node_id: 'side' }] });
      await running('db.create');
      await held(execution, 'side.create');
      const path = `/executions/${execution.id}/breakpoints`;
      const breakpoints = [{ operation: 'start', type: 'cloudify.nodes.Root' }, { node_id: 'app' }];
      const all = await call<{ items: unknown[] }>('PUT', path, { breakpoints });
      expect(all.items).to.deep.equal([
        { operation: 'start', node_id: null, node_instance_id: null, type: 'cloudify.nodes.Root' },
        { operation: null, node_id: 'app', node_instance_id: null, type: null },
      ]);
      await until('the change', () => worker.runs.some(({ key }) => key === 'side.create'));
      worker.release('db.create');
      await held(execution, 'db.start');
      const stepped = await call<{ released_operations: number }>('POST', `/executions/${execution.id}/step`);
      expect(stepped.released_operations).to.equal(1);
      await held(execution, 'app.create');
      expect(worker.keys()).to.deep.equal(['db.create', 'db.start']);
      await call('PUT', path, { breakpoints: [] });
      expect(await ended(execution)).to.include({ status: 'terminated' });
      expect(await messages(execution)).to.include('1 operation let through, by admin');
    });

    it('counts an operation as done that never runs', async () => {
      const execution = await start({
        breakpoints: [{ operation: 'cloudify.interfaces.lifecycle.create', node_id: 'app' }],
      });
      await held(execution, 'app.create');
      await decide(execution, await find(execution, 'app.create'), { action: 'done', result: { by: 'hand' } });
      const end = await ended(execution);
      expect(end).to.include({ status: 'terminated' });
      expect(end.finished_operations).to.equal(end.total_operations);
      expect(worker.keys()).to.deep.equal(['db.create', 'db.start']);
      expect(await find(execution, 'app.create')).to.deep.include({ state: 'succeeded', result: { by: 'hand' } });
    });
  });

  describe('by decisions about one operation', () => {
    it('abandons a stuck operation and retries it while the execution runs', async () => {
      worker.hold('db.create');
      const execution = await start();
      await running('db.create');
      const stuck = await find(execution, 'db.create');
      worker.release('nothing');
      const next = await decide(execution, stuck, { action: 'retry', reason: 'it hangs' });
      expect(next).to.include({ retried_operation: stuck.id, retry_number: 1 });
      await until('the second attempt', () => worker.keys().filter((key) => key === 'db.create').length === 2);
      worker.release('db.create');
      expect(await ended(execution)).to.include({ status: 'terminated' });
      const all = await operations(execution);
      expect(all.find(({ id }) => id === stuck.id)).to.include({
        state: 'failed',
        error: 'Given up by admin: it hangs',
      });
      expect(await messages(execution)).to.satisfy((lines: string[]) =>
        lines.some((line) => /^Operation .*\.create of db_\w+ is to be tried again, says admin: it hangs$/.test(line)),
      );
    });

    it('skips a failed operation of an ended execution, which continues as if it had succeeded', async () => {
      worker.fail('app.create');
      const execution = await ended(await start());
      expect(execution).to.include({ status: 'failed' });
      await decide(execution, await find(execution, 'app.create'), { action: 'skip', reason: 'not needed' });
      expect(await ended(execution)).to.include({ status: 'terminated', error: '' });
      expect(worker.keys().filter((key) => key === 'app.create')).to.have.length(1);
      expect((await find(execution, 'app.create')).decision).to.include({
        action: 'skip',
        by: 'admin',
        reason: 'not needed',
      });
    });

    it('skips a failed operation of a running execution, which then does not fail', async () => {
      worker.fail('app.create');
      worker.hold('side.create');
      const execution = await start();
      await until('the failure', async () => (await operations(execution)).some(({ state }) => state === 'failed'));
      expect(await get(execution)).to.include({ status: 'started' });
      await decide(execution, await find(execution, 'app.create'), { action: 'skip' });
      await until('the end of the node', async () =>
        (await messages(execution)).some((message) => message.startsWith('Node instance started')),
      );
      worker.release('side.create');
      expect(await ended(execution)).to.include({ status: 'terminated', error: '' });
      expect(worker.runs.filter(({ key }) => key === 'side.create')).to.have.length(1);
    });

    it('retries one failed operation of an ended execution, with other inputs, and keeps the failed attempt', async () => {
      worker.fail('app.create');
      const execution = await ended(await start());
      const failed = await find(execution, 'app.create');
      expect(failed).to.include({ state: 'failed', error: 'app.create is broken' });
      worker.repair('app.create');
      await decide(execution, failed, { action: 'retry', inputs: { careful: true } });
      const end = await ended(execution);
      expect(end).to.include({ status: 'terminated' });
      expect(end.finished_operations).to.equal(end.total_operations);
      expect(worker.keys()).to.deep.equal(['db.create', 'db.start', 'app.create', 'app.create']);
      expect(worker.runs.at(-1)?.inputs).to.deep.equal({ careful: true });
      const all = await operations(execution);
      expect(all.filter(({ node_id: node }) => node === 'app').map(({ state }) => state)).to.deep.equal([
        'failed',
        'succeeded',
      ]);
    });

    it('does not resume before it is asked to', async () => {
      worker.fail('app.create');
      const execution = await ended(await start());
      await decide(execution, await find(execution, 'app.create'), { action: 'done', resume: false });
      expect((await get(execution)).status).to.equal('failed');
      await act(execution, 'resume');
      expect(await ended(execution)).to.include({ status: 'terminated' });
    });

    it('is refused with the reason', async () => {
      worker.fail('app.create');
      const execution = await ended(await start());
      const done = await find(execution, 'db.create');
      const failed = await find(execution, 'app.create');
      const refusals: [Operation, object, number, RegExp][] = [
        [done, { action: 'retry' }, 400, /it has succeeded/],
        [done, { action: 'skip' }, 400, /it has succeeded/],
        [done, { action: 'edit', inputs: {} }, 400, /it is succeeded/],
        [failed, { action: 'step' }, 400, /it is not held back: it is failed/],
        [failed, { action: 'explode' }, 400, /must be one of/],
        [failed, { action: 'skip', inputs: {} }, 400, /Inputs cannot be given with the action skip/],
        [{ ...failed, id: 'unknown' }, { action: 'skip' }, 404, /not found/],
      ];
      for (const [operation, body, status, expected] of refusals) {
        const path = `/executions/${execution.id}/operations/${operation.id}`;
        const answer = await rest.call('POST', path, { body });
        expect([answer.status, answer.json<{ message: string }>().message]).to.satisfy(
          ([code, message]: [number, string]) => code === status && expected.test(message),
          `${JSON.stringify(body)} ${answer.text}`,
        );
      }
      const next = await decide(execution, failed, { action: 'retry', resume: false });
      const answer = await rest.call('POST', `/executions/${execution.id}/operations/${failed.id}`, {
        body: { action: 'skip' },
      });
      expect(answer.json<{ message: string }>().message).to.include(`it was tried again as ${next.id}`);
    });
  });

  it('plans a workflow without storing anything, with the durations of earlier executions', async () => {
    interface Plan {
      total_operations: number;
      unknown_durations: number;
      seconds: number;
      graphs: { name: string; critical_path: string[]; operations: { operation: string; node_id: string }[] }[];
    }
    await ended(await start());
    count += 1;
    const other = `d${count}`;
    expect((await rest.call('PUT', `/deployments/${other}`, { body: { blueprint_id: 'b' } })).status).to.equal(201);
    const before = await call<{ metadata: { pagination: { total: number } } }>('GET', '/executions?_size=1');
    const plan = await call<Plan>('POST', '/executions/plan', { deployment_id: other, workflow_id: 'install' });
    expect(plan).to.include({ total_operations: 4, unknown_durations: 0 });
    expect(plan.seconds).to.be.a('number');
    expect(plan.graphs.map(({ name }) => name)).to.deep.equal(['install']);
    const after = await call<{ metadata: { pagination: { total: number } } }>('GET', '/executions?_size=1');
    expect(after.metadata.pagination.total).to.equal(before.metadata.pagination.total);
    const answer = await rest.call('POST', '/executions/plan', {
      body: { deployment_id: other, workflow_id: 'scale', parameters: { scalable_entity_name: 'nothing' } },
    });
    expect(answer.status, answer.text).to.equal(400);
  });

  it('shows every attempt with inputs, times and who ran it', async () => {
    const execution = await ended(await start());
    const [first] = await operations(execution);
    expect(first).to.include({ node_id: 'db', state: 'succeeded', retry_number: 0, error: null });
    expect(first?.operation).to.equal('cloudify.interfaces.lifecycle.create');
    expect(first?.worker).to.be.a('string');
    expect(first).to.have.property('seconds').that.is.a('number');
  });
});
