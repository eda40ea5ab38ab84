import type { Json, JsonObject, Plan, PlanVersion, PropertySchema } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { ImplementationContext } from '../interfaces/implementation.ts';
import { SideResolver } from '../interfaces/sides.ts';
import type { MergedBlueprint } from '../merged.ts';
import { Problems } from '../problems.ts';
import { blueprint } from '../schema/blueprint.ts';
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
 * Makes the plan of a merged blueprint. Mistakes are collected per stage: shape, types, then what uses them.
 *
 * @throws DslError the first mistake, with the others of its stage
 */
export function assemblePlan(merged: MergedBlueprint, options: AssembleOptions): Plan {
  const tooNew = checkShape(merged.tree, options);
  try {
    const plan = assembleSections(merged.tree, options);
    tooNew.throwIfAny();
    return plan;
  } catch (error) {
    if (error instanceof DslError && !tooNew.has(error)) {
      error.others = [...error.others, ...tooNew.all];
    }
    throw error;
  }
}

function assembleSections(tree: Readonly<Record<string, unknown>>, options: AssembleOptions): Plan {
  const problems = new Problems();
  const dataTypes = readDataTypes(tree['data_types'], problems);
  problems.throwIfAny();
  const context: SchemaContext = { dataTypes, problems };
  const plugins = readPlugins(tree['plugins'], context);
  const nodeTypes = readNodeTypes(tree['node_types'], context);
  const relationshipTypes = readRelationshipTypes(tree['relationships'], context);
  const inputs = readInputs(tree['inputs'], ['inputs'], context);
  const policyTypes = readPolicyTypes(tree, context);
  problems.throwIfAny();

  const namespaces = (tree['namespaces_mapping'] ?? {}) as Record<string, string>;
  const implementations: ImplementationContext = {
    plugins,
    localScripts: options.localScripts,
    blueprintNamespaces: new Set(Object.keys(namespaces)),
  };
  const sides = new SideResolver(implementations);
  checkRelationshipTypes(relationshipTypes, sides, problems);
  const { workflows, plugins: workflowPlugins } = readWorkflows(tree['workflows'], implementations, context);
  const settings = readDeploymentSettings(tree['deployment_settings'], options.local, problems);
  const bare = readNodeTemplates(tree['node_templates'], { dataTypes, nodeTypes, relationshipTypes, sides, problems });
  const assigned = assignPlugins(bare, nodeTypes, plugins, problems);
  const names = new Set(bare.map(({ id }) => id));
  const groups = readGroups(tree['groups'], names, policyTypes, context);
  problems.throwIfAny();
  const { policies, scalingGroups } = readPolicies(tree['policies'], groups, bare, problems);

  return {
    version: options.version,
    description: (tree['description'] ?? null) as string | null,
    metadata: (tree['metadata'] ?? null) as JsonObject | null,
    inputs,
    outputs: mappingOf(tree['outputs']) as Plan['outputs'],
    capabilities: mappingOf(tree['capabilities']) as Plan['capabilities'],
    nodes: assigned.nodes,
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

/** Checks shapes. Gives back the collections that the blueprint's version does not have. */
function checkShape(tree: Readonly<Record<string, unknown>>, options: AssembleOptions): Problems {
  const version = options.validateVersion ? (options.version.definitions_version as unknown as Version) : undefined;
  const problems = new Problems();
  const tooNew = new Problems();
  validateElement(blueprint, tree, [], { version, problems, tooNew });
  if (problems.count > 0) {
    problems.addAll(tooNew);
  }
  problems.throwIfAny();
  return tooNew;
}

/** Operations of relationship types are looked up even when nothing uses them. */
function checkRelationshipTypes(
  types: ReadonlyMap<string, RelationshipType>,
  sides: SideResolver,
  problems: Problems,
): void {
  for (const type of types.values()) {
    for (const key of ['source_interfaces', 'target_interfaces'] as const) {
      const path = ['relationships', type.name, key];
      problems.attempt(path, () => {
        const interfaces = key === 'source_interfaces' ? type.sourceInterfaces : type.targetInterfaces;
        sides.check(interfaces, { code: 19, where: `Relationship '${type.name}'`, path });
      });
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

function mappingOf(value: unknown): Record<string, Json> {
  return (value ?? {}) as Record<string, Json>;
}
