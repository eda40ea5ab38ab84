import { expect } from 'chai';
import type { LogItem } from '../../../src/amqp/envelopes.ts';
import { executionIdOf, toEventInput } from '../../../src/recorder/log-item.ts';

const owner = { tenantId: 1, creatorId: 2, visibility: 'tenant' as const };
const now = Date.parse('2026-01-01T00:00:00Z');

describe('published lines', () => {
  it('become events with the places and causes they name', () => {
    const item: LogItem = {
      type: 'cloudify_event',
      timestamp: '2026-01-02T03:04:05.678Z',
      message_code: null,
      event_type: 'task_failed',
      message: { text: 'Task failed', arguments: null },
      context: {
        execution_id: 'e1',
        node_id: 'web_1',
        operation: 'cloudify.interfaces.lifecycle.start',
        task_error_causes: [{ type: 'Boom', message: 'boom', traceback: null }],
      },
    };
    expect(executionIdOf(item)).to.equal('e1');
    expect(toEventInput(item, 'e1', owner, now)).to.deep.equal({
      kind: 'event',
      ...owner,
      executionId: 'e1',
      timestamp: new Date('2026-01-02T03:04:05.678Z'),
      eventType: 'task_failed',
      message: 'Task failed',
      nodeInstanceId: 'web_1',
      operation: 'cloudify.interfaces.lifecycle.start',
      errorCauses: [{ type: 'Boom', message: 'boom', traceback: null }],
    });
  });

  it('become log lines, with what is missing or unreadable filled in', () => {
    const item: LogItem = {
      type: 'cloudify_log',
      timestamp: 'yesterday',
      logger: 'ctx.t1',
      message: { text: 'a\0b' },
      context: { execution_id: 'e1', operation: { name: 'op' }, source_id: 's', target_id: 't' },
    };
    expect(toEventInput(item, 'e1', owner, now)).to.deep.equal({
      kind: 'log',
      ...owner,
      executionId: 'e1',
      timestamp: new Date(now),
      logger: 'ctx.t1',
      level: 'info',
      message: 'a<NUL>b',
      operation: 'op',
      sourceId: 's',
      targetId: 't',
    });
  });
});
