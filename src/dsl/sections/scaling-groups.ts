import type { JsonObject, PlanScalingGroup, ScalableProperties } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import { pythonRepr, pythonText } from '../../domain/python-text.ts';
import type { Problems } from '../problems.ts';
import { nearestName } from '../schema/names.ts';
import type { Raw } from '../types/schemas.ts';
import { setOwn } from '../yaml/marks.ts';
import type { Group } from './groups.ts';
import { isContainment } from './node-templates.ts';
import type { BareNode } from './node-templates.ts';
import { scaleOf } from './scale.ts';

export interface ReadPolicies {
  readonly policies: JsonObject;
  readonly scalingGroups: Record<string, PlanScalingGroup>;
}

/** Reads the section `policies`, and what its policies make of the groups they target. */
export function readPolicies(
  section: unknown,
  groups: ReadonlyMap<string, Group>,
  nodes: readonly BareNode[],
  problems: Problems,
): ReadPolicies {
  const policies: JsonObject = {};
  const scalingGroups = new Map<string, PlanScalingGroup>();
  for (const [name, raw] of Object.entries((section ?? {}) as Record<string, Raw>)) {
    problems.attempt(['policies', name], () => {
      const targets = raw['targets'] as (string | null)[];
      const properties: ScalableProperties = scaleOf(raw['properties'] as Raw | null | undefined);
      targets.forEach((target, index) => {
        const group = target === null ? undefined : groups.get(target);
        if (target === null || !group) {
          const at = ['policies', name, 'targets', index];
          problems.attempt(at, () => {
            if (target !== null) {
              problems.requireSound('groups', target);
            }
            throw unknownTarget(target, [...groups.keys()], at);
          });
          return;
        }
        scalingGroups.set(target, { members: [...group.members], properties });
      });
      setOwn(policies, name, { type: raw['type'] as string, properties: { ...properties }, targets });
    });
  }
  problems.settle();
  problems.attempt(['groups'], () => {
    const membership = membershipOf(scalingGroups);
    requireNoLoops(membership);
    // Which node is in which can be told only of templates that are right.
    if (!problems.hasBroken('node_templates') && !problems.hasBroken('groups')) {
      const containment = new Containment(nodes);
      requireSharedContainers(scalingGroups, membership, containment);
      removeContainedMembers(scalingGroups, membership, containment);
    }
  });
  const result: Record<string, PlanScalingGroup> = {};
  for (const [name, group] of scalingGroups) {
    setOwn(result, name, group);
  }
  return { policies, scalingGroups: result };
}

function unknownTarget(target: string | null, groups: readonly string[], path: (string | number)[]): Error {
  const rule = `Only groups are valid policy targets. Defined groups are ${pythonRepr(groups)}.`;
  return logicError(205, `'${pythonText(target)}' is not a valid policy target. ${rule}`, {
    path,
    remedy: nearestName(target, groups),
  });
}

/** Member -> the one scaling group it is in. */
type Membership = ReadonlyMap<string, string>;

function membershipOf(groups: ReadonlyMap<string, PlanScalingGroup>): Membership {
  const all = new Map<string, string[]>();
  for (const [name, { members }] of groups) {
    for (const member of members) {
      const names = all.get(member);
      if (names) {
        names.push(name);
      } else {
        all.set(member, [name]);
      }
    }
  }
  const membership = new Map<string, string>();
  const shared: [string, string[]][] = [];
  for (const [member, names] of all) {
    membership.set(member, names[0] as string);
    if (names.length > 1) {
      shared.push([member, names]);
    }
  }
  const [first] = shared;
  if (first) {
    // A loop among the groups is the mistake to report, if there is one as well.
    requireNoLoops(membership);
    const rule = 'Nodes and groups cannot be members in multiple groups';
    const what = `member '${first[0]}' belongs to the following multiple groups: ${pythonRepr(first[1])}`;
    throw logicError(201, `${rule}, but ${what}`, { path: ['groups', first[1][1] as string, 'members'] });
  }
  return membership;
}

function requireNoLoops(membership: Membership): void {
  const fine = new Set<string>();
  for (const start of membership.keys()) {
    const chain: string[] = [];
    const inChain = new Set<string>();
    let name: string | undefined = start;
    while (name !== undefined && !fine.has(name)) {
      if (inChain.has(name)) {
        const loop = chain.slice(chain.indexOf(name));
        throw logicError(200, `Illegal group cycles found: [${pythonRepr([...loop, name])}]`, {
          path: ['groups', name, 'members'],
        });
      }
      chain.push(name);
      inChain.add(name);
      name = membership.get(name);
    }
    chain.forEach((item) => fine.add(item));
  }
}

/** Which node each node is contained in. */
class Containment {
  private readonly containers = new Map<string, string>();
  private readonly names = new Set<string>();
  private readonly roots = new Map<string, string>();

  constructor(nodes: readonly BareNode[]) {
    for (const node of nodes) {
      this.names.add(node.id);
      const container = node.relationships.find(isContainment)?.target_id;
      if (container !== undefined) {
        this.containers.set(node.id, container);
      }
    }
  }

  isNode(name: string): boolean {
    return this.names.has(name);
  }

  /** The nodes a node is in, innermost first. Nodes cannot contain each other, which is checked before. */
  *around(node: string): Generator<string> {
    for (let name = this.containers.get(node); name !== undefined; name = this.containers.get(name)) {
      yield name;
    }
  }

  /** The outermost node a node is in; itself when it is in none. */
  rootOf(node: string): string {
    const path: string[] = [];
    let name = node;
    for (let known = this.roots.get(name); ; known = this.roots.get(name)) {
      if (known !== undefined) {
        name = known;
        break;
      }
      const outer = this.containers.get(name);
      if (outer === undefined) {
        break;
      }
      path.push(name);
      name = outer;
    }
    path.forEach((item) => this.roots.set(item, name));
    return name;
  }
}

/**
 * Nodes that are scaled together must be contained in one node, or their outermost containers must be scaled with them.
 *
 * @throws DslError 202
 */
function requireSharedContainers(
  groups: ReadonlyMap<string, PlanScalingGroup>,
  membership: Membership,
  containment: Containment,
): void {
  for (const [name, members] of nodesOfOutermostGroups(groups, membership, containment)) {
    const first = members.values().next().value;
    const others = [...members].filter((node) => containment.rootOf(node) !== containment.rootOf(first ?? ''));
    if (first === undefined || others.length === 0) {
      continue;
    }
    for (const node of members) {
      const root = containment.rootOf(node);
      if (!members.has(root)) {
        const other = root === containment.rootOf(first) ? (others[0] as string) : first;
        const what = `Node '${node}' and '${other}' belong to some shared group`;
        const why = 'they are not contained in any shared node, nor is any ancestor node of theirs.';
        throw logicError(202, `${what} but ${why}`, {
          path: ['groups', name],
          remedy: `Add '${root}' to the group, or take '${node}' out`,
        });
      }
    }
  }
}

function nodesOfOutermostGroups(
  groups: ReadonlyMap<string, PlanScalingGroup>,
  membership: Membership,
  containment: Containment,
): Map<string, Set<string>> {
  const outermost = new Map<string, string>();
  const outermostOf = (group: string): string => {
    const chain: string[] = [];
    let name = group;
    for (
      let parent = membership.get(name);
      parent !== undefined && !outermost.has(name);
      parent = membership.get(name)
    ) {
      chain.push(name);
      name = parent;
    }
    const result = outermost.get(name) ?? name;
    chain.forEach((item) => outermost.set(item, result));
    return result;
  };
  const nodes = new Map<string, Set<string>>();
  for (const [name, { members }] of groups) {
    const outer = outermostOf(name);
    const all = nodes.get(outer) ?? new Set<string>();
    members.filter((member) => containment.isNode(member)).forEach((member) => all.add(member));
    nodes.set(outer, all);
  }
  return nodes;
}

/**
 * Takes members out that are scaled anyway, because a node they are contained in is scaled with the same group: the
 * node itself, or the whole group within the shared one that holds it.
 */
function removeContainedMembers(
  groups: ReadonlyMap<string, PlanScalingGroup>,
  membership: Membership,
  containment: Containment,
): void {
  const groupsAround = (name: string): string[] => {
    const chain: string[] = [];
    for (let group = membership.get(name); group !== undefined; group = membership.get(group)) {
      chain.push(group);
    }
    return chain;
  };
  const removed = new Map<string, Set<string>>();
  for (const member of membership.keys()) {
    if (!containment.isNode(member)) {
      continue;
    }
    const chain = groupsAround(member);
    for (const container of containment.around(member)) {
      const shared = membership.has(container) ? new Set(groupsAround(container)) : new Set<string>();
      const at = chain.findIndex((group) => shared.has(group));
      const group = chain[at];
      if (group !== undefined) {
        const out = removed.get(group) ?? new Set<string>();
        out.add(chain[at - 1] ?? member);
        removed.set(group, out);
      }
    }
  }
  for (const [name, out] of removed) {
    const group = groups.get(name);
    if (group) {
      group.members = group.members.filter((member) => !out.has(member));
    }
  }
}
