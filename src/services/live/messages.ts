/** What a live stream tells, who may learn it and who asked for it. */
import type { Deployment, Execution, NodeInstanceRow } from '../../domain/entities.ts';
import type { Permission } from '../../domain/permissions.ts';
import type { Visibility } from '../../domain/states.ts';
import type { LiveEvent } from '../../store/live.ts';
import type { Scope } from '../../store/scope.ts';

export const liveTopics = ['events', 'executions', 'deployments', 'node_instances'] as const;
export type LiveTopic = (typeof liveTopics)[number];

/** What a caller must hold to follow a topic. */
export const topicPermissions = {
  events: 'event_list',
  executions: 'execution_list',
  deployments: 'deployment_list',
  node_instances: 'node_instance_list',
} as const satisfies Record<LiveTopic, Permission>;

/** Whose a row is. */
export interface Ownership {
  readonly tenantId: number;
  readonly creatorId: number;
  readonly visibility: Visibility;
}

/** A row that was deleted. */
export interface Deleted extends Ownership {
  readonly id: string;
}

export type LiveMessage =
  | { readonly topic: 'events'; readonly item: LiveEvent }
  | { readonly topic: 'executions'; readonly item: Execution }
  | { readonly topic: 'deployments'; readonly item: Deployment }
  | { readonly topic: 'node_instances'; readonly item: NodeInstanceRow }
  | { readonly topic: 'deleted'; readonly of: LiveTopic; readonly item: Deleted };

/** Values that rows must have; a member that is not there, or that a kind of row does not have, lets everything pass. */
export interface LiveFilter {
  readonly executionIds?: readonly string[];
  readonly executionGroupIds?: readonly string[];
  readonly deploymentIds?: readonly string[];
  readonly blueprintIds?: readonly string[];
  readonly nodeIds?: readonly string[];
  readonly nodeInstanceIds?: readonly string[];
  /** `event` or `log`. */
  readonly kinds?: readonly string[];
  readonly eventTypes?: readonly string[];
  readonly levels?: readonly string[];
}

/** Who follows what: a topic that has no scope is not followed. */
export type LiveScopes = ReadonlyMap<LiveTopic, Scope>;

/** Whether a scope may see a row; the counterpart of the condition that the store adds to lists. */
export function isVisible(scope: Scope, { tenantId, creatorId, visibility }: Ownership): boolean {
  const tenants = scope.tenants ?? [scope.tenantId];
  if (tenants !== 'all' && visibility !== 'global' && !tenants.includes(tenantId)) {
    return false;
  }
  const { viewer } = scope;
  return (
    viewer === undefined ||
    visibility !== 'private' ||
    viewer.userId === creatorId ||
    viewer.administers === 'all' ||
    viewer.administers.includes(tenantId)
  );
}

type Values = Partial<Record<keyof LiveFilter, string | undefined>>;

/** The values of a row by the member of the filter that looks at them. */
function valuesOf(message: Exclude<LiveMessage, { topic: 'deleted' }>): Values {
  switch (message.topic) {
    case 'events': {
      const { item } = message;
      return {
        executionIds: item.executionId,
        executionGroupIds: item.executionGroupId,
        deploymentIds: item.deploymentId,
        blueprintIds: item.blueprintId,
        nodeIds: item.nodeName,
        nodeInstanceIds: item.nodeInstanceId,
        kinds: item.kind,
        eventTypes: item.eventType,
        levels: item.level,
      };
    }
    case 'executions': {
      const { id, deploymentId, blueprintId } = message.item;
      return { executionIds: id, deploymentIds: deploymentId, blueprintIds: blueprintId };
    }
    case 'deployments':
      return { deploymentIds: message.item.id, blueprintIds: message.item.blueprintId };
    case 'node_instances': {
      const { id, nodeId, deploymentId } = message.item;
      return { nodeInstanceIds: id, nodeIds: nodeId, deploymentIds: deploymentId };
    }
  }
}

/** The member of the filter that names rows of a topic by their ids. */
const idMember = {
  events: undefined,
  executions: 'executionIds',
  deployments: 'deploymentIds',
  node_instances: 'nodeInstanceIds',
} as const satisfies Record<LiveTopic, keyof LiveFilter | undefined>;

/** Whether a message passes the filter. A deleted row is known by its id only. */
export function passes(filter: LiveFilter, message: LiveMessage): boolean {
  if (message.topic === 'deleted') {
    const member = idMember[message.of];
    return member === undefined || (filter[member]?.includes(message.item.id) ?? true);
  }
  const values = valuesOf(message);
  for (const [member, wanted] of Object.entries(filter) as [keyof LiveFilter, readonly string[]][]) {
    // rows of other kinds do not have the member at all
    if (member in values && !wanted.includes(values[member] ?? '')) {
      return false;
    }
  }
  return true;
}
