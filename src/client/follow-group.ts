import type { GantryClient } from './client.ts';
import { endedExecutionStatuses } from '../domain/states.ts';
import { followLive } from './live.ts';
import type { LiveOptions } from './live.ts';
import type { EventShape, ExecutionGroupShape } from './types.ts';

export interface GroupFollowOptions extends Pick<LiveOptions, 'onUnreachable' | 'patience' | 'signal'> {
  /** What becomes of the executions, one by one; and notes of the group itself. */
  readonly onEvent?: (event: EventShape) => void;
}

/** Compatibility: the text of Cloudify 7 by which a group is told what becomes of its executions. */
const stateChange = /^execution '([^']+)' changed state to '([a-z_]+)'/;

function isOver({ status }: ExecutionGroupShape): boolean {
  return status === null || endedExecutionStatuses.some((ended) => ended === status);
}

/**
 * Follows an execution group until all of its executions have ended.
 * @returns the group as it is then
 * @throws GantryApiError when the manager refuses
 */
export async function followGroup(
  client: GantryClient,
  id: string,
  options: GroupFollowOptions = {},
): Promise<ExecutionGroupShape> {
  const { onEvent, ...live } = options;
  let group = await client.executionGroups.get(id, options.signal);
  if (isOver(group)) {
    return group;
  }
  const total = group.execution_ids?.length ?? 0;
  const ended = new Set<string>();
  const messages = followLive(
    client.transport,
    { topics: 'events', execution_group_id: id, from: 'start' },
    // it may have ended while there was nobody to tell
    { ...live, onConnect: async () => void (group = await client.executionGroups.get(id, options.signal)) },
  );
  for await (const { event, body } of messages) {
    if (event !== 'event') {
      continue;
    }
    const line = body as EventShape;
    onEvent?.(line);
    const [, execution = '', status = ''] = stateChange.exec(line.message) ?? [];
    if (endedExecutionStatuses.some((one) => one === status)) {
      ended.add(execution);
    }
    // a group that is resumed has executions that have ended before
    if (ended.size >= total) {
      group = await client.executionGroups.get(id, options.signal);
    }
    if (isOver(group)) {
      return group;
    }
  }
  return group;
}
