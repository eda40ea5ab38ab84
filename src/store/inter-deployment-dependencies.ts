import { GantryError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import type { InterDeploymentDependency } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import { findResources, listResources, returnResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { integer, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters, toJson } from './values.ts';

export interface NewInterDeploymentDependency {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  createdAt?: Date | undefined;
  dependencyCreator: string;
  sourceDeploymentStorageId?: number | undefined;
  targetDeploymentStorageId?: number | undefined;
  targetDeploymentFunction?: Json | undefined;
  externalSource?: Json | undefined;
  externalTarget?: Json | undefined;
}

const interDeploymentDependencyResource: Resource<InterDeploymentDependency> = {
  kind: 'InterDeploymentDependencies',
  table: 'inter_deployment_dependencies',
  alias: 'dependency',
  from: `inter_deployment_dependencies dependency ${resourceJoins('dependency')}
    left join deployments source on source.storage_id = dependency.source_deployment_id
    left join deployments target on target.storage_id = dependency.target_deployment_id`,
  scope: scopeOf('dependency'),
  fields: {
    ...resourceFields('dependency'),
    createdAt: timestamp('dependency.created_at'),
    dependencyCreator: text('dependency.dependency_creator'),
    sourceDeploymentId: text('source.id'),
    targetDeploymentId: text('target.id'),
    sourceDeploymentStorageId: integer('dependency.source_deployment_id'),
    targetDeploymentStorageId: integer('dependency.target_deployment_id'),
    targetDeploymentFunction: json('dependency.target_deployment_func'),
    externalSource: json('dependency.external_source'),
    externalTarget: json('dependency.external_target'),
  },
  defaultOrder: 'dependency.created_at, dependency.storage_id',
};

/** Stores dependencies in one statement. @throws GantryError conflict_error when an id is taken */
export async function createInterDeploymentDependencies(
  session: Session,
  dependencies: readonly NewInterDeploymentDependency[],
): Promise<InterDeploymentDependency[]> {
  const parameters = new Parameters();
  const rows = parameters.add(toJson(dependencies));
  const stored = returnResources(
    session,
    interDeploymentDependencyResource,
    `insert into inter_deployment_dependencies (id, tenant_id, creator_id, visibility, created_at, dependency_creator,
       source_deployment_id, target_deployment_id, target_deployment_func, external_source, external_target)
     select id, "tenantId", "creatorId", visibility, coalesce("createdAt", now()), "dependencyCreator",
       "sourceDeploymentStorageId", "targetDeploymentStorageId", "targetDeploymentFunction", "externalSource",
       "externalTarget"
     from json_to_recordset(${rows}::json) as dependency (id text, "tenantId" integer, "creatorId" integer,
       visibility text, "createdAt" timestamptz, "dependencyCreator" text, "sourceDeploymentStorageId" bigint,
       "targetDeploymentStorageId" bigint, "targetDeploymentFunction" jsonb, "externalSource" jsonb,
       "externalTarget" jsonb)`,
    parameters,
  );
  return stored.catch((error: unknown) => {
    throw isUniqueViolation(error, 'inter_deployment_dependencies_id')
      ? new GantryError('conflict_error', 'An inter-deployment dependency with one of these ids already exists', {
          cause: error,
        })
      : error;
  });
}

/** @throws GantryError not_found_error */
export async function getInterDeploymentDependency(
  session: Session,
  scope: Scope,
  id: string,
): Promise<InterDeploymentDependency> {
  return getResource(session, interDeploymentDependencyResource, scope, { id });
}

export async function listInterDeploymentDependencies(
  session: Session,
  scope: Scope,
  query: ListQuery,
): Promise<Page<InterDeploymentDependency>> {
  return listResources(session, interDeploymentDependencyResource, scope, query);
}

/** What a dependency is told apart by when a client does not know its id. */
export interface DependencyKey {
  dependencyCreator: string;
  sourceDeploymentStorageId: number | undefined;
  targetDeploymentStorageId?: number | undefined;
  externalSource?: Json | undefined;
  externalTarget?: Json | undefined;
}

/** Dependencies with the given key. */
export async function findByKey(session: Session, key: DependencyKey): Promise<InterDeploymentDependency[]> {
  return findResources(session, interDeploymentDependencyResource, (parameters) => {
    const conditions = [
      `dependency.dependency_creator = ${parameters.add(key.dependencyCreator)}`,
      `dependency.source_deployment_id is not distinct from ${parameters.add(key.sourceDeploymentStorageId ?? null)}`,
    ];
    if (key.targetDeploymentStorageId !== undefined) {
      conditions.push(`dependency.target_deployment_id = ${parameters.add(key.targetDeploymentStorageId)}`);
    }
    if (key.externalSource !== undefined) {
      conditions.push(`dependency.external_source = ${parameters.add(toJson(key.externalSource))}::jsonb`);
    }
    if (key.externalTarget !== undefined) {
      conditions.push(`dependency.external_target = ${parameters.add(toJson(key.externalTarget))}::jsonb`);
    }
    return conditions.join(' and ');
  });
}

/** Dependencies of a source deployment. */
export async function findBySource(
  session: Session,
  deploymentStorageId: number,
): Promise<InterDeploymentDependency[]> {
  return findResources(
    session,
    interDeploymentDependencyResource,
    (parameters) => `dependency.source_deployment_id = ${parameters.add(deploymentStorageId)}`,
  );
}

/** Of the given deployments, those that have a dependency whose target a function names. */
export async function findDynamicSources(
  session: Session,
  deploymentStorageIds: readonly number[],
): Promise<ReadonlySet<number>> {
  const rows = await session.prepared<{ id: number }>(
    `select distinct source_deployment_id as id from inter_deployment_dependencies
     where source_deployment_id = any($1) and target_deployment_func is not null`,
    [[...deploymentStorageIds]],
  );
  return new Set(rows.map(({ id }) => id));
}

/** Sets the targets of dependencies, in one statement; null = none. */
export async function setDependencyTargets(
  session: Session,
  targets: readonly { storageId: number; targetDeploymentStorageId: number | null }[],
): Promise<void> {
  await session.prepared(
    `update inter_deployment_dependencies dependency set target_deployment_id = change.target
     from unnest($1::bigint[], $2::bigint[]) as change (id, target) where dependency.storage_id = change.id`,
    [
      targets.map(({ storageId }) => storageId),
      targets.map(({ targetDeploymentStorageId }) => targetDeploymentStorageId),
    ],
  );
}

/** Removes dependencies. @returns how many were there */
export async function deleteInterDeploymentDependencies(
  session: Session,
  storageIds: readonly number[],
): Promise<number> {
  const rows = await session.prepared(
    'delete from inter_deployment_dependencies where storage_id = any($1) returning storage_id',
    [[...storageIds]],
  );
  return rows.length;
}

/**
 * Removes the dependencies of a deployment that functions of its blueprint made; those of components, shared resources
 * and users stay.
 */
export async function deleteDependenciesOfFunctions(session: Session, deploymentStorageId: number): Promise<void> {
  await session.prepared(
    `delete from inter_deployment_dependencies where source_deployment_id = $1
       and dependency_creator ~ '\\.get_capability$' and dependency_creator !~ '^(component|sharedresource)\\.'`,
    [deploymentStorageId],
  );
}

/**
 * Of `targets`, those that depend on `source` themselves, directly or not: depending on them would close a circle.
 * All are storage ids of deployments.
 */
export async function findCircularTargets(
  session: Session,
  source: number,
  targets: readonly number[],
): Promise<number[]> {
  const rows = await session.prepared<{ id: number }>(
    `with recursive dependents (id) as (
       select $1::bigint
       union
       select dependency.source_deployment_id from inter_deployment_dependencies dependency
       join dependents on dependents.id = dependency.target_deployment_id
       where dependency.source_deployment_id is not null
     )
     select id from dependents where id = any($2)`,
    [source, [...targets]],
  );
  return rows.map(({ id }) => id);
}
