import type { LogItem } from '../amqp/envelopes.ts';
import type { EventInput } from '../domain/entities.ts';
import type { Visibility } from '../domain/states.ts';

/** Whose execution a line belongs to; a stored line carries the same. */
export interface LineOwner {
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
}

const longestMessage = 1_000_000;

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Members of an item that are there, so that absent ones stay absent. */
function present(members: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function timeOf(item: LogItem, now: number): Date {
  const time = item.timestamp === undefined ? NaN : Date.parse(item.timestamp);
  return new Date(Number.isNaN(time) ? now : time);
}

/** The execution a line names, undefined when it names none. */
export function executionIdOf(item: LogItem): string | undefined {
  return textOf(item.context['execution_id']);
}

/**
 * Turns a published line into what is stored. PostgreSQL has no NUL characters in texts, so they are spelled out.
 * @param now milliseconds since the epoch, for lines without a readable timestamp
 */
export function toEventInput(item: LogItem, executionId: string, owner: LineOwner, now: number): EventInput {
  const { context } = item;
  const message = item.message.text.replaceAll('\0', '<NUL>').slice(0, longestMessage);
  const causes = context['task_error_causes'];
  const common = {
    timestamp: timeOf(item, now),
    executionId,
    ...owner,
    message,
    ...present({
      messageCode: textOf(item.message_code),
      operation: operationName(context['operation']),
      nodeInstanceId: textOf(context['node_id']),
      sourceId: textOf(context['source_id']),
      targetId: textOf(context['target_id']),
    }),
  };
  return item.type === 'cloudify_event'
    ? {
        kind: 'event',
        ...common,
        eventType: textOf(item.event_type) ?? 'plugin_event',
        ...(causes === undefined || causes === null ? {} : { errorCauses: causes }),
      }
    : { kind: 'log', ...common, logger: textOf(item.logger) ?? '', level: textOf(item.level) ?? 'info' };
}

/** Old libraries send the operation as text, the operation context has it as an object with a name. */
function operationName(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'name' in value ? textOf(value.name) : textOf(value);
}
