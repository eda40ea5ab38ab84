import type { NodeInstance } from '../domain/topology.ts';
import type { WorkflowContext } from './context.ts';
import { WorkflowRefused } from './errors.ts';
import { listParameter } from './parameters.ts';
import { viewOf } from './topology-view.ts';

/** What is scaled, and how far. */
export interface ScalePlan {
  /** As the user calls it; part of the names of graphs. */
  readonly entityName: string;
  /** The node or group whose number of instances changes. */
  readonly scaledId: string;
  readonly delta: number;
  readonly plannedInstances: number;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * Works out what a scale asks for.
 *
 * @returns undefined when there is nothing to do
 * @throws WorkflowRefused when the entity, the delta or the chosen instances do not fit the deployment
 */
export function planScale(
  context: WorkflowContext,
  entityName: string,
  isComputeScaled: boolean,
): ScalePlan | undefined {
  const delta = deltaOf(context);
  const include = listParameter(context.parameters, 'include_instances');
  const exclude = listParameter(context.parameters, 'exclude_instances');
  if (delta === 0) {
    return undefined;
  }
  if (delta > 0 && (include.length > 0 || exclude.length > 0)) {
    throw new WorkflowRefused('Instances cannot be included or excluded when scaling up.');
  }
  const { scaledId, current, available, groups } = findEntity(context, entityName, isComputeScaled);
  checkChoice({ include, exclude, available, groups, delta, isComputeScaled });
  if (current + delta < 0) {
    throw new WorkflowRefused(
      `Provided delta: ${delta} is illegal. current number of instances of entity ${entityName} is ${current}`,
    );
  }
  return { entityName, scaledId, delta, plannedInstances: current + delta, include, exclude };
}

function deltaOf(context: WorkflowContext): number {
  const given = context.parameters['delta'] ?? 1;
  const delta = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
  if (typeof delta !== 'number' || !Number.isInteger(delta)) {
    const shown = typeof given === 'string' ? given : JSON.stringify(given);
    throw new WorkflowRefused(`The delta parameter must be a number. Got: ${shown}`);
  }
  return delta;
}

interface Entity {
  readonly scaledId: string;
  readonly current: number;
  /** Ids that may be included or excluded. */
  readonly available: ReadonlySet<string>;
  /** Group instance id -> ids of its members; empty for nodes. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

function findEntity(context: WorkflowContext, name: string, isComputeScaled: boolean): Entity {
  const { topology } = context;
  const group = topology.scalingGroups.get(name);
  if (group) {
    const groups = groupMembers(context);
    const available = new Set([...groups.keys(), ...[...groups.values()].flat()]);
    return { scaledId: name, current: group.properties.current_instances, available, groups };
  }
  const node = topology.nodes.get(name);
  if (!node) {
    throw new WorkflowRefused(`No scalable entity named ${name} was found`);
  }
  const host = isComputeScaled && node.hostId !== undefined ? topology.nodes.get(node.hostId) : undefined;
  const scaled = host ?? node;
  const members = viewOf(topology).instances.filter((instance: NodeInstance) => instance.nodeId === node.id);
  return {
    scaledId: scaled.id,
    current: scaled.numberOfInstances,
    available: new Set(members.map((instance) => instance.id)),
    groups: new Map(),
  };
}

function groupMembers(context: WorkflowContext): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const instance of context.topology.instances.values()) {
    for (const { id } of instance.scalingGroups) {
      const members = groups.get(id);
      if (members) {
        members.push(instance.id);
      } else {
        groups.set(id, [instance.id]);
      }
    }
  }
  return groups;
}

interface Choice extends Pick<Entity, 'available' | 'groups'> {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly delta: number;
  readonly isComputeScaled: boolean;
}

/** Collects everything that is wrong with the included and excluded instances into one error. */
function checkChoice(choice: Choice): void {
  const { include, exclude, available } = choice;
  if (include.length === 0 && exclude.length === 0) {
    return;
  }
  const excluded = new Set(exclude);
  const problems = [
    listed(
      'The following included instances did not exist',
      include.filter((id) => !available.has(id)),
    ),
    listed(
      'The following excluded instances did not exist',
      exclude.filter((id) => !available.has(id)),
    ),
    listed(
      'The following instances were both excluded and included',
      include.filter((id) => excluded.has(id)),
    ),
    tooManyExcluded(choice),
    choice.isComputeScaled
      ? 'Cannot include or exclude instances while scale_compute is True. Please specify the desired compute ' +
        'instances and set scale_compute to False.'
      : undefined,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) {
    throw new WorkflowRefused([...problems, describeAvailable(choice)].join(' '));
  }
}

function listed(what: string, ids: readonly string[]): string | undefined {
  return ids.length > 0 ? `${what}: ${[...new Set(ids)].join(', ')}.` : undefined;
}

function tooManyExcluded({ exclude, groups, available, delta }: Choice): string | undefined {
  if (groups.size === 0) {
    const target = available.size + delta;
    return target < exclude.length
      ? 'Target number of instances is less than excluded instance count. Target number of instances was ' +
          `${target}. Excluded instances were: ${exclude.join(', ')}.`
      : undefined;
  }
  const excluded = new Set(exclude);
  const excludedGroups = [...groups].filter(
    ([id, members]) => excluded.has(id) || members.some((m) => excluded.has(m)),
  );
  const target = groups.size + delta;
  return target < excludedGroups.length
    ? 'Instances from too many different groups were excluded. Target number of group instances was ' +
        `${target}, but ${excludedGroups.length} excluded groups.`
    : undefined;
}

function describeAvailable({ groups, available }: Choice): string {
  return groups.size === 0
    ? `Available instances were: ${[...available].join(', ')}`
    : `Groups and member instances were: ${[...groups].map(([id, members]) => `${id}: ${members.join(', ')}`).join('; ')}`;
}
