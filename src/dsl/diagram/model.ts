import type { Plan, PlanNode } from '../../domain/plan.ts';

/** A node template or scaling group of a drawing; what it contains stands inside it. */
export interface Box {
  readonly kind: 'node' | 'group';
  readonly name: string;
  /** Second line: the type of a node, `scaling group`, and the number of instances where it is not one. */
  readonly detail: string;
  readonly children: Box[];
}

/** A relationship that is not containment. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

/** What a drawing of a topology shows. */
export interface Diagram {
  readonly title: string;
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

const containment = 'cloudify.relationships.contained_in';
const builtInRelationships = /^cloudify\.relationships\./;

function instancesText(count: number): string {
  return count === 1 ? '' : ` x ${String(count)}`;
}

const isContainment = ({ type_hierarchy: hierarchy }: PlanNode['relationships'][number]): boolean =>
  hierarchy.some((type) => type === containment || type.endsWith(`--${containment}`));

/**
 * The topology of a plan as nested boxes and arrows: contained nodes stand in their containers, members of scaling
 * groups in their groups where that does not take them out of their container.
 */
export function diagramOf(plan: Pick<Plan, 'nodes' | 'scaling_groups' | 'description'>, title: string): Diagram {
  const boxes = new Map<string, Box>();
  const containers = new Map<string, string>();
  const arrows: Arrow[] = [];
  for (const node of plan.nodes) {
    const count = node.capabilities.scalable.properties.default_instances;
    boxes.set(key('node', node.id), {
      kind: 'node',
      name: node.id,
      detail: `${node.type}${instancesText(count)}`,
      children: [],
    });
    for (const relationship of node.relationships) {
      if (isContainment(relationship)) {
        containers.set(node.id, relationship.target_id);
      } else {
        const label = relationship.type.replace(builtInRelationships, '');
        arrows.push({ from: node.id, to: relationship.target_id, label });
      }
    }
  }
  const parents = parentsOf(plan, containers);
  for (const [name, group] of Object.entries(plan.scaling_groups)) {
    const detail = `scaling group${instancesText(group.properties.default_instances)}`;
    boxes.set(key('group', name), { kind: 'group', name, detail, children: [] });
  }
  const roots: Box[] = [];
  for (const [id, box] of boxes) {
    const parent = parents.get(id);
    (boxes.get(parent ?? '')?.children ?? roots).push(box);
  }
  return { title, boxes: roots, arrows };
}

const key = (kind: Box['kind'], name: string): string => `${kind}:${name}`;

/** Box -> the box it stands in. */
function parentsOf(
  plan: Pick<Plan, 'nodes' | 'scaling_groups'>,
  containers: ReadonlyMap<string, string>,
): Map<string, string> {
  const parents = new Map<string, string>();
  for (const [name, container] of containers) {
    parents.set(key('node', name), key('node', container));
  }
  for (const [group, { members }] of Object.entries(plan.scaling_groups)) {
    const inside = new Set(members);
    const nodes = members.filter((member) => !Object.hasOwn(plan.scaling_groups, member));
    const outermost = nodes.filter((name) => !inside.has(containers.get(name) ?? ''));
    const around = new Set(outermost.map((name) => containers.get(name)));
    const [container] = around;
    if (around.size > 1) {
      continue;
    }
    for (const name of outermost) {
      parents.set(key('node', name), key('group', group));
    }
    if (container !== undefined) {
      parents.set(key('group', group), key('node', container));
    }
    for (const member of members) {
      if (Object.hasOwn(plan.scaling_groups, member)) {
        parents.set(key('group', member), key('group', group));
      }
    }
  }
  return parents;
}
