import type { Json, JsonObject, Plan, PlanNode, PlanVersion, PropertySchema } from '../../domain/plan.ts';
import type { ImplementationContext } from '../interfaces/implementation.ts';
import { SideResolver } from '../interfaces/sides.ts';
import type { MergedBlueprint } from '../merged.ts';
import { Problems } from '../problems.ts';
import { blueprint, sections } from '../schema/blueprint.ts';
import { isDict } from '../schema/element.ts';
import { validateElement } from '../schema/validate.ts';
import { readGroups, readPolicyTypes } from '../sections/groups.ts';
import { assignPlugins } from '../sections/node-plugins.ts';
import { readNodeTemplates } from '../sections/node-templates.ts';
import { readPlugins } from '../sections/plugins.ts';
import { readPolicies } from '../sections/scaling-groups.ts';
import { readDeploymentSettings } from '../sections/schedules.ts';
import type { LocalTime } from '../sections/schedules.ts';
import { readWorkflows } from '../sections/workflows.ts';
import { dataTypesOfPlan, readDataTypes } from '../types/data-types.ts';
import { readInputs } from '../types/schemas.ts';
import type { SchemaContext } from '../types/schemas.ts';
import { readNodeTypes, readRelationshipTypes } from '../types/type-section.ts';
import type { RelationshipType } from '../types/type-section.ts';
import { setOwn } from '../yaml/marks.ts';
import type { Version } from '../versions.ts';

export interface AssembleOptions {
  readonly version: PlanVersion;
  readonly validateVersion: boolean;
  /** Implementations that are files of the blueprint. */
  readonly localScripts: ReadonlySet<string>;
  readonly local: LocalTime | undefined;
}

/**
 * Makes the plan of a merged blueprint. Mistakes are collected by stage: shape, types, then what uses them. Each stage
 * goes on with what the ones before it left whole.
 *
 * @param problems takes the mistakes; with any, the plan may be used for further checks only
 * @throws DslError the mistake after which nothing more can be told
 */
export function assemblePlan(merged: MergedBlueprint, options: AssembleOptions, problems: Problems): Plan {
  const tooNew = new Problems();
  const tree = checkShape(merged.tree, options, problems, tooNew);
  const hadProblems = problems.count > 0;
  if (hadProblems) {
    problems.addAll(tooNew.all);
    problems.settle();
  }
  const plan = assembleSections(tree, options, problems);
  if (!hadProblems) {
    problems.addAll(tooNew.all);
  }
  problems.settle();
  return plan;
}

function assembleSections(tree: Readonly<Record<string, unknown>>, options: AssembleOptions, problems: Problems): Plan {
  const dataTypes = readDataTypes(tree['data_types'], problems);
  problems.settle();
  const context: SchemaContext = { dataTypes, problems };
  const plugins = readPlugins(tree['plugins'], context);
  const nodeTypes = readNodeTypes(tree['node_types'], context);
  const relationshipTypes = readRelationshipTypes(tree['relationships'], context);
  const inputs = readInputs(tree['inputs'], ['inputs'], context);
  const policyTypes = readPolicyTypes(tree, context);
  problems.settle();

  const namespaces = (tree['namespaces_mapping'] ?? {}) as Record<string, string>;
  const implementations: ImplementationContext = {
    plugins,
    localScripts: options.localScripts,
    blueprintNamespaces: new Set(Object.keys(namespaces)),
    problems,
  };
  const sides = new SideResolver(implementations, problems);
  checkRelationshipTypes(relationshipTypes, sides);
  const { workflows, plugins: workflowPlugins } = readWorkflows(tree['workflows'], implementations, context);
  const settings = readDeploymentSettings(tree['deployment_settings'], options.local, problems);
  const templates = { dataTypes, nodeTypes, relationshipTypes, sides, problems };
  const { nodes: bare, partial, areHostsKnown } = readNodeTemplates(tree['node_templates'], templates);
  const assigned = assignPlugins(bare, nodeTypes, plugins, areHostsKnown ? problems : undefined);
  const names = new Set(Object.keys(tree['node_templates'] ?? {}));
  const groups = readGroups(tree['groups'], names, policyTypes, context);
  problems.settle();
  const { policies, scalingGroups } = readPolicies(tree['policies'], groups, bare, problems);

  return {
    version: options.version,
    description: (tree['description'] ?? null) as string | null,
    metadata: (tree['metadata'] ?? null) as JsonObject | null,
    inputs,
    outputs: resultsOf(tree['outputs']),
    capabilities: resultsOf(tree['capabilities']),
    nodes: [
      ...assigned.nodes,
      ...partial.map((node): PlanNode => ({ ...node, plugins: [], deployment_plugins_to_install: [] })),
    ],
    relationships: relationshipTypesOfPlan(relationshipTypes),
    workflows,
    data_types: dataTypesOfPlan(dataTypes),
    policy_types: policyTypes.types,
    policy_triggers: policyTypes.triggers,
    policies,
    groups: Object.fromEntries(groups) as unknown as JsonObject,
    scaling_groups: scalingGroups,
    deployment_plugins_to_install: assigned.central,
    workflow_plugins_to_install: workflowPlugins,
    host_agent_plugins_to_install: assigned.host,
    imported_blueprints: (tree['imported_blueprints'] ?? []) as string[],
    namespaces_mapping: namespaces,
    labels: mappingOf(tree['labels']) as Plan['labels'],
    blueprint_labels: mappingOf(tree['blueprint_labels']) as Plan['blueprint_labels'],
    resource_tags: mappingOf(tree['resource_tags']),
    deployment_settings: settings,
    requirements: { parent_capabilities: [], secrets: [] },
  };
}

/**
 * Checks shapes.
 *
 * @param tooNew takes the collections that the blueprint's version does not have
 * @returns what of the tree has the shape it should have
 * @throws DslError when a section has an unknown name: every other section may lack what it was to hold
 */
function checkShape(
  tree: Readonly<Record<string, unknown>>,
  options: AssembleOptions,
  problems: Problems,
  tooNew: Problems,
): Readonly<Record<string, unknown>> {
  const version = options.validateVersion ? (options.version.definitions_version as unknown as Version) : undefined;
  validateElement(blueprint, tree, [], { version, problems, tooNew });
  if (problems.count === 0) {
    return tree;
  }
  const isAboutSections = ({ path }: { path: unknown }): boolean =>
    !Array.isArray(path) || path.length === 0 || !Object.hasOwn(sections, String(path[0]));
  if (problems.isFull || problems.all.some(isAboutSections)) {
    problems.addAll(tooNew.all);
    problems.throwIfAny();
  }
  const sound: Record<string, unknown> = {};
  for (const [name, section] of Object.entries(tree)) {
    if (!problems.hasBroken(name)) {
      setOwn(sound, name, section);
    } else if (isDict(section) && !problems.isSectionBroken(name)) {
      const entries = Object.entries(section).filter(([entry]) => !problems.isBroken(name, entry));
      setOwn(sound, name, Object.fromEntries(entries));
    }
  }
  return sound;
}

/** Operations of relationship types are looked up even when nothing uses them. */
function checkRelationshipTypes(types: ReadonlyMap<string, RelationshipType>, sides: SideResolver): void {
  for (const type of types.values()) {
    for (const key of ['source_interfaces', 'target_interfaces'] as const) {
      const path = ['relationships', type.name, key];
      const interfaces = key === 'source_interfaces' ? type.sourceInterfaces : type.targetInterfaces;
      sides.check(interfaces, { code: 19, where: `Relationship '${type.name}'`, path });
    }
  }
}

function relationshipTypesOfPlan(types: ReadonlyMap<string, RelationshipType>): JsonObject {
  const result: Record<string, unknown> = {};
  for (const type of types.values()) {
    setOwn(result, type.name, {
      ...(type.derivedFrom === undefined ? {} : { derived_from: type.derivedFrom }),
      properties: type.properties satisfies Record<string, PropertySchema>,
      source_interfaces: type.sourceInterfaces,
      target_interfaces: type.targetInterfaces,
      name: type.name,
      type_hierarchy: type.hierarchy,
    });
  }
  return result as JsonObject;
}

/** Outputs or capabilities. One without a body has no value, and is kept as an empty mapping. */
function resultsOf(section: unknown): Plan['outputs'] {
  const results: Record<string, unknown> = {};
  for (const [name, result] of Object.entries(mappingOf(section))) {
    setOwn(results, name, result ?? {});
  }
  return results as Plan['outputs'];
}

function mappingOf(value: unknown): Record<string, Json> {
  return (value ?? {}) as Record<string, Json>;
}
