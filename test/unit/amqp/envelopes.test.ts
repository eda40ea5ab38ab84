import { expect } from 'chai';
import {
  MalformedMessageError,
  readLogItem,
  readOperationTask,
  readReply,
  readServiceTask,
  readWorkflowTask,
  writeOperationTask,
  writeServiceTask,
  writeWorkflowTask,
} from '../../../src/amqp/envelopes.ts';
import type { OperationContext } from '../../../src/amqp/envelopes.ts';

const context: OperationContext = {
  __cloudify_context: '0.3',
  type: 'operation',
  task_name: 'plugin.task',
  task_id: 't1',
  execution_id: 'e1',
  tenant: { name: 'default_tenant' },
};

describe('envelopes', () => {
  it('reads the operation task it writes', () => {
    const task = { id: 't1', context, kwargs: { port: 8080, nested: { list: [1] } } };
    expect(readOperationTask(writeOperationTask(task))).to.deep.equal(task);
  });

  it('reads the workflow task it writes', () => {
    const task = {
      id: 'e1',
      context: { type: 'workflow' as const, execution_id: 'e1', workflow_id: 'install', tenant: { name: 't' } },
      parameters: { force: true },
    };
    const written = writeWorkflowTask(task, 3);
    expect(written).to.include({ id: 'e1', execution_creator: 3 });
    expect(readWorkflowTask(written)).to.deep.equal(task);
  });

  it('reads the service task it writes, also without arguments', () => {
    const task = { name: 'cancel-operation', kwargs: { execution_id: 'e1' } };
    expect(readServiceTask(writeServiceTask(task))).to.deep.equal(task);
    expect(readServiceTask({ service_task: { task_name: 'ping' } })).to.deep.equal({ name: 'ping', kwargs: {} });
    expect(readServiceTask({ service_task: { task_name: 'ping', kwargs: null } })).to.deep.include({ kwargs: {} });
  });

  const malformed: [string, (body: unknown) => unknown, unknown, string][] = [
    ['a list as task', readOperationTask, [], 'must be object'],
    ['a task without context', readOperationTask, { cloudify_task: { kwargs: {} } }, '__cloudify_context'],
    [
      'a task without execution',
      readOperationTask,
      { cloudify_task: { kwargs: { __cloudify_context: { task_name: 'a', task_id: 'b', tenant: { name: 'c' } } } } },
      'execution_id',
    ],
    [
      'a tenant that is no object',
      readWorkflowTask,
      { cloudify_task: { kwargs: { __cloudify_context: { execution_id: 'e', workflow_id: 'w', tenant: 't' } } } },
      'tenant must be object',
    ],
    ['a service task without name', readServiceTask, { service_task: {} }, 'task_name'],
    ['a reply without outcome', readReply, { result: 1 }, 'ok'],
    ['a log line without context', readLogItem, { type: 'cloudify_log', message: { text: '' } }, 'context'],
    ['a log line of another kind', readLogItem, { type: 'x', message: { text: '' }, context: {} }, 'type'],
  ];
  for (const [what, read, body, reason] of malformed) {
    it(`refuses ${what} and says what is wrong`, () => {
      expect(() => read(body)).to.throw(MalformedMessageError, reason);
    });
  }

  it('takes a reply without result for one with an empty result', () => {
    expect(readReply({ ok: true })).to.deep.equal({ ok: true, result: null });
  });

  it('takes a text as error of a reply for an error that cannot be mended', () => {
    const reply = readReply({ ok: false, error: "KeyError('cloudify_task')" });
    expect(reply).to.have.nested.property('error.known_exception_type', 'NonRecoverableError');
    expect(reply).to.have.nested.property('error.message', "KeyError('cloudify_task')");
  });

  it('completes an error object that lacks what the engine needs', () => {
    const reply = readReply({ ok: false, error: { message: 'boom', exception_type: 'ValueError' } });
    expect(reply.ok).to.equal(false);
    expect(reply)
      .to.have.property('error')
      .that.deep.includes({
        known_exception_type: 'RecoverableError',
        known_exception_type_args: [],
        known_exception_type_kwargs: { causes: [{ type: 'ValueError', message: 'boom', traceback: null }] },
      });
  });

  it('leaves a complete error object as it is', () => {
    const error = {
      exception_type: 'OperationRetry',
      message: 'later',
      known_exception_type: 'OperationRetry',
      known_exception_type_args: [5],
      known_exception_type_kwargs: { causes: [] },
      append_message: false,
    };
    expect(readReply({ ok: false, error })).to.deep.equal({ ok: false, error });
  });
});
