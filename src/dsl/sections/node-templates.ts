import type {
  Json,
  JsonObject,
  PlanNode,
  PlanOperations,
  PlanRelationship,
  ScalableProperties,
} from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import type { Path } from '../errors.ts';
import type { Problems } from '../problems.ts';
import { readValueInterfaces } from '../interfaces/merge.ts';
import type { SideResolver } from '../interfaces/sides.ts';
import { isDict } from '../schema/element.ts';
import { nearestName } from '../schema/names.ts';
import { pythonRepr } from '../../domain/python-text.ts';
import { containedInType, lifecycleDependencyType } from '../types/names.ts';
import { orderByDependencies } from '../types/order.ts';
import type { Raw } from '../types/schemas.ts';
import { own, valuesWithDefaults } from '../types/values.ts';
import type { DataTypes, ValueRules } from '../types/values.ts';
import type { NodeType, RelationshipType } from '../types/type-section.ts';
import { scaleOf } from './scale.ts';

export interface TemplateContext {
  readonly dataTypes: DataTypes;
  readonly nodeTypes: ReadonlyMap<string, NodeType>;
  readonly relationshipTypes: ReadonlyMap<string, RelationshipType>;
  readonly sides: SideResolver;
  readonly problems: Problems;
}

/** A node of the plan before plugins are assigned to it. */
export type BareNode = Omit<PlanNode, 'plugins' | 'deployment_plugins_to_install' | 'plugins_to_install'>;

export interface ReadTemplates {
  readonly nodes: BareNode[];
  /** What can be told of templates that are wrong, so that the rest of them is checked. */
  readonly partial: BareNode[];
  /** Whether hosts were assigned; they cannot be where nodes depend on themselves. */
  readonly areHostsKnown: boolean;
}

interface Template {
  readonly name: string;
  readonly raw: Raw;
  readonly path: Path;
  /** Undefined when it is unknown, or wrong itself. */
  readonly type: NodeType | undefined;
}

/** Reads the section `node_templates`, in the order it is written. */
export function readNodeTemplates(section: unknown, context: TemplateContext): ReadTemplates {
  const raws = (section ?? {}) as Record<string, Raw>;
  const { problems } = context;
  const nodes: BareNode[] = [];
  const partial: BareNode[] = [];
  for (const [name, raw] of Object.entries(raws)) {
    const path = ['node_templates', name];
    const type = problems.attempt(path, () => requireNodeType(name, raw, context));
    const node = problems.attempt(path, () => readTemplate({ name, raw, path, type }, raws, context));
    if (node) {
      (problems.isBroken('node_templates', name) ? partial : nodes).push(node);
    }
  }
  problems.settle();
  const areHostsKnown = problems.attempt([], () => assignHosts([...nodes, ...partial], context.nodeTypes)) ?? false;
  return { nodes, partial, areHostsKnown };
}

function requireNodeType(name: string, raw: Raw, { nodeTypes, problems }: TemplateContext): NodeType {
  const typeName = raw['type'] as string;
  problems.requireSound('node_types', typeName);
  const type = nodeTypes.get(typeName);
  if (!type) {
    const names = [...nodeTypes.keys()];
    const existing = names.map((item) => `'${item}'`).join(', ');
    throw logicError(7, `Could not locate node type: '${typeName}'; existing types: [${existing}]`, {
      path: ['node_templates', name, 'type'],
      remedy: nearestName(typeName, names),
    });
  }
  return type;
}

function readTemplate(template: Template, raws: Record<string, Raw>, context: TemplateContext): BareNode {
  const { name, raw, path, type } = template;
  const { problems } = context;
  const given = (raw['properties'] ?? {}) as JsonObject;
  const properties = type ? valuesWithDefaults(given, type.properties, nodeRules(template, context)) : given;
  const typeName = type?.name ?? (raw['type'] as string);
  // Of an unknown type nothing is known, but what the template writes in full can be checked all the same.
  const side = context.sides.resolve(type?.interfaces ?? unknownInterfaces, readValueInterfaces(raw['interfaces']), {
    code: 10,
    where: `in node '${name}' of type '${typeName}'`,
    path: [...path, 'interfaces'],
  });
  const rawRelationships = (raw['relationships'] ?? []) as Raw[];
  const relationships = rawRelationships.flatMap((item, index) => {
    const at = [...path, 'relationships', index];
    return problems.attempt(at, () => readRelationship(item, at, template, raws, context)) ?? [];
  });
  problems.attempt(path, () => {
    requireOneContainer(template, relationships);
  });
  return {
    name,
    id: name,
    type: typeName,
    type_hierarchy: [...(type?.hierarchy ?? [])],
    properties,
    instances: raw['instances'] ?? {},
    capabilities: { scalable: { properties: scaleOfTemplate(raw) } },
    interfaces: side.interfaces,
    operations: side.operations,
    relationships,
  };
}

const unknownInterfaces: NodeType['interfaces'] = {};

function nodeRules({ name, path }: Template, { dataTypes, problems }: TemplateContext): ValueRules {
  return {
    dataTypes,
    problems,
    owner: name,
    undefinedMessage: (owner, property) =>
      `'${owner}' node '${property}' property is not part of the derived type properties schema`,
    missingMessage: (owner, property) =>
      `'${owner}' node does not provide a value for mandatory '${property}' property which is part of its type schema`,
    mustBeComplete: true,
    at: [...path, 'properties'],
  };
}

function scaleOfTemplate(raw: Raw): ScalableProperties {
  const instances = raw['instances'];
  const deploy = isDict(instances) ? (instances['deploy'] as number | undefined) : undefined;
  const capabilities = raw['capabilities'] as { scalable?: { properties?: Raw | null } | null } | null | undefined;
  const scale = scaleOf(capabilities?.scalable?.properties);
  return deploy === undefined
    ? scale
    : { ...scale, default_instances: deploy, current_instances: deploy, planned_instances: deploy };
}

function readRelationship(
  raw: Raw,
  path: Path,
  template: Template,
  raws: Record<string, Raw>,
  context: TemplateContext,
): PlanRelationship | undefined {
  const { problems } = context;
  const known = problems.attempt(path, () =>
    requireRelationshipType(raw['type'] as string, template.name, path, context),
  );
  const target = raw['target'] as string;
  const isTargetKnown = problems.attempt(path, () => requireTarget(target, template.name, raws, path, problems));
  const given = (raw['properties'] ?? {}) as JsonObject;
  const type = known ?? unknownRelationshipType(raw['type'] as string);
  if (isTargetKnown && type.name === lifecycleDependencyType) {
    problems.attempt(path, () => {
      requireLifecycleOperation(own(given, 'operation'), target, template.name, raws, path);
    });
  }
  const properties = known
    ? valuesWithDefaults(given, type.properties, relationshipRules(template.name, path, context))
    : given;
  const side = (key: 'source_interfaces' | 'target_interfaces', node: string) =>
    context.sides.resolve(
      key === 'source_interfaces' ? type.sourceInterfaces : type.targetInterfaces,
      readValueInterfaces(raw[key]),
      { code: 19, where: `in relationship of type '${type.name}' in node '${node}'`, path: [...path, key] },
    );
  const source = side('source_interfaces', template.name);
  const targetSide = side('target_interfaces', target);
  if (!isTargetKnown) {
    return undefined;
  }
  return {
    type: type.name,
    target_id: target,
    type_hierarchy: [...type.hierarchy],
    properties,
    source_interfaces: source.interfaces,
    target_interfaces: targetSide.interfaces,
    source_operations: source.operations,
    target_operations: targetSide.operations,
  };
}

function unknownRelationshipType(name: string): RelationshipType {
  const nothing = { properties: {}, sourceInterfaces: unknownInterfaces, targetInterfaces: unknownInterfaces };
  return { name, derivedFrom: undefined, hierarchy: [], ...nothing };
}

function requireRelationshipType(
  name: string,
  node: string,
  path: Path,
  { relationshipTypes, problems }: TemplateContext,
): RelationshipType {
  problems.requireSound('relationships', name);
  const type = relationshipTypes.get(name);
  if (!type) {
    const message = `A relationship instance under node '${node}' declares an undefined relationship type '${name}'`;
    throw logicError(26, message, { path: [...path, 'type'], remedy: nearestName(name, relationshipTypes.keys()) });
  }
  return type;
}

/** @returns true for a target that can be looked into, false for one that is wrong itself */
function requireTarget(
  target: string,
  node: string,
  raws: Record<string, Raw>,
  path: Path,
  problems: Problems,
): boolean {
  const intro = `A relationship instance under node '${node}' of type 'type'`;
  if (!Object.hasOwn(raws, target)) {
    if (problems.isBroken('node_templates', target)) {
      return false;
    }
    throw logicError(25, `${intro} declares an undefined target node '${target}'`, {
      path: [...path, 'target'],
      remedy: nearestName(target, Object.keys(raws)),
    });
  }
  if (target === node) {
    throw logicError(23, `${intro} illegally declares the source node as the target node`, {
      path: [...path, 'target'],
    });
  }
  return true;
}

function requireLifecycleOperation(
  operation: Json | undefined,
  target: string,
  node: string,
  raws: Record<string, Raw>,
  path: Path,
): void {
  if (!operation) {
    const what = `please supply "${lifecycleDependencyType}" with a defined lifecycle operation target `;
    throw logicError(215, `For "${node}" node, ${what}`, { path });
  }
  const interfaces = own(raws, target)?.['interfaces'];
  const lifecycle = isDict(interfaces) ? own(interfaces, 'cloudify.interfaces.lifecycle') : undefined;
  if (typeof operation !== 'string' || !isDict(lifecycle) || !Object.hasOwn(lifecycle, operation)) {
    const name = typeof operation === 'string' ? operation : JSON.stringify(operation);
    const where = `in the target node "${target}" for "${node}" node's "${lifecycleDependencyType}" relationship`;
    throw logicError(216, `Please define "${name}" operation ${where}`, { path });
  }
}

function relationshipRules(node: string, path: Path, { dataTypes, problems }: TemplateContext): ValueRules {
  return {
    dataTypes,
    problems,
    owner: node,
    undefinedMessage: (owner, property) =>
      `'${owner}' node relationship '${property}' property is not part of the derived relationship type properties schema`,
    missingMessage: (owner, property) => {
      const what = `mandatory '${property}' property which is part of its relationship type schema`;
      return `'${owner}' node relationship does not provide a value for ${what}`;
    },
    mustBeComplete: true,
    at: [...path, 'properties'],
  };
}

function requireOneContainer({ name, path }: Template, relationships: readonly PlanRelationship[]): void {
  const containers = relationships.filter(isContainment);
  if (containers.length > 1) {
    const types = pythonRepr(containers.map(({ type }) => type));
    const targets = pythonRepr(containers.map(({ target_id }) => target_id));
    const what = `more than one relationship that is derived from '${containedInType}' relationship`;
    throw logicError(112, `Node '${name}' has ${what}. Found: ${types} for targets: ${targets}`, {
      path: [...path, 'relationships'],
    });
  }
}

/** Whether a relationship places its node in the target. */
export function isContainment(relationship: { readonly type_hierarchy: readonly string[] }): boolean {
  return relationship.type_hierarchy.includes(containedInType);
}

/** Gives every node the host it is on: itself, or that of the node it is contained in. */
function assignHosts(nodes: readonly BareNode[], nodeTypes: ReadonlyMap<string, NodeType>): true {
  const byName = new Map(nodes.map((node) => [node.id, node]));
  const order = orderByDependencies(
    byName.keys(),
    (name) => (byName.get(name)?.relationships ?? []).map(({ target_id }) => target_id),
    (name) => ['node_templates', name, 'relationships'],
  );
  for (const name of order) {
    const node = byName.get(name);
    if (node) {
      const container = node.relationships.find(isContainment);
      const host = nodeTypes.get(node.type)?.isHost ? name : container && byName.get(container.target_id)?.host_id;
      if (host !== undefined) {
        node.host_id = host;
      }
    }
  }
  return true;
}

/** All operations plugins of a node are taken from: its own, and its side of every relationship it is part of. */
export function operationsByNode(nodes: readonly BareNode[]): Map<string, PlanOperations[]> {
  const operations = new Map<string, PlanOperations[]>(nodes.map((node) => [node.id, [node.operations]]));
  for (const node of nodes) {
    for (const relationship of node.relationships) {
      operations.get(node.id)?.push(relationship.source_operations);
      operations.get(relationship.target_id)?.push(relationship.target_operations);
    }
  }
  return operations;
}
