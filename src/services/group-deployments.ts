/** Creating deployments in a group: from its default blueprint, all in one transaction of a few statements. */
import type { Blueprint } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { DeploymentGroup } from '../domain/resources.ts';
import { getBlueprint } from '../store/blueprints.ts';
import { addGroupMembers, advanceCreationCounter } from '../store/deployment-groups.ts';
import { createDeployments, removeFailedCreations, setCreateExecutions } from '../store/deployment-batch.ts';
import type { Transaction } from '../store/session.ts';
import { lockQueue } from '../store/execution-queue.ts';
import { requireQuota } from '../store/tenant-quotas.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkInputNames, requireVisibility } from './deployment-creation.ts';
import type { CreationLookups } from './deployment-creation.ts';
import { startReady, storeExecutionGroup } from './execution-batches.ts';
import { checkIdentifier } from './identifiers.ts';
import type { NewLabel } from './labels.ts';

/** What a client says of one deployment to create; whatever is left out comes from the group and its blueprint. */
export interface GroupDeployment {
  readonly id: string | undefined;
  readonly displayName: string | undefined;
  readonly inputs: JsonObject;
  readonly labels: readonly NewLabel[];
  readonly siteName: string | undefined;
  readonly runtimeOnlyEvaluation: boolean | undefined;
  readonly isSkippingPluginsValidation: boolean;
}

/** Environments of one request that are made at once. Compatibility: that of Cloudify 7. */
const creationConcurrency = 10;

/**
 * Creates deployments as members of a group and starts the execution group that fills them.
 * @throws GantryError conflict_error without default blueprint or for ids that are taken; everything else that
 *   `createDeploymentFrom` refuses
 */
export async function createGroupDeployments(
  dependencies: ServiceDependencies,
  lookups: CreationLookups,
  caller: TenantCaller,
  group: DeploymentGroup,
  wanted: readonly GroupDeployment[],
  transaction: Transaction,
): Promise<void> {
  if (wanted.length === 0) {
    return;
  }
  const blueprint = await defaultBlueprint(transaction, caller, group);
  requireVisibility({ id: group.id, visibility: group.visibility }, blueprint);
  const plan = blueprint.plan;
  if (plan && wanted.some((one) => !one.isSkippingPluginsValidation)) {
    await lookups.requirePlugins(transaction, caller, plan);
  }
  // whoever starts executions takes the quota after the queue
  await lockQueue(transaction);
  await requireQuota(transaction, caller.tenant, 'deployments', wanted.length);
  const first = await advanceCreationCounter(transaction, group.storageId, wanted.length);
  const named = wanted.map((one, index) => withNames(dependencies, group, blueprint, one, first + index));
  const sites = await findSites(lookups, caller, group, named, transaction);
  named.forEach(({ inputs }) => plan && checkInputNames(plan, inputs));
  await removeFailedCreations(
    transaction,
    caller.tenant.id,
    named.filter((_, index) => wanted[index]?.id !== undefined).map(({ id }) => id),
  );
  const storageIds = await createDeployments(
    transaction,
    {
      tenantId: caller.tenant.id,
      creatorId: caller.user.id,
      visibility: group.visibility,
      blueprintStorageId: blueprint.storageId,
    },
    named.map(({ id, displayName, siteName, runtimeOnlyEvaluation }) => ({
      id,
      displayName,
      siteStorageId: sites.get(siteName ?? ''),
      runtimeOnlyEvaluation: runtimeOnlyEvaluation ?? false,
    })),
  );
  await addGroupMembers(transaction, group.storageId, storageIds);
  await startCreation(dependencies, caller, { group, blueprint, named, storageIds }, transaction);
}

/** @throws GantryError conflict_error, deployment_creation_error */
async function defaultBlueprint(
  transaction: Transaction,
  caller: TenantCaller,
  group: DeploymentGroup,
): Promise<Blueprint> {
  if (group.defaultBlueprintId === undefined) {
    throw new GantryError(
      'conflict_error',
      `Cannot create deployments: group ${group.id} has no default blueprint set`,
    );
  }
  const blueprint = await getBlueprint(transaction, scopeOf(caller), group.defaultBlueprintId);
  if (blueprint.state !== 'uploaded') {
    throw new GantryError(
      'deployment_creation_error',
      `Unable to create a deployment based on a blueprint which is not \`uploaded\` but: \`${blueprint.state}\``,
    );
  }
  return blueprint;
}

interface NamedDeployment extends GroupDeployment {
  readonly id: string;
  readonly displayName: string;
}

/**
 * Fills in id, display name and inputs.
 *
 * Compatibility: Cloudify 7 placeholders {group_id}, {uuid}, {blueprint_id}, {count} and {site_name}, in what the
 * client gives as well as in the `deployment_settings` of the blueprint.
 */
function withNames(
  { newId }: ServiceDependencies,
  group: DeploymentGroup,
  blueprint: Blueprint,
  wanted: GroupDeployment,
  count: number,
): NamedDeployment {
  const settings = blueprint.plan?.deployment_settings;
  const values: Readonly<Record<string, string>> = {
    group_id: group.id,
    uuid: newId(),
    blueprint_id: blueprint.id,
    count: String(count),
    site_name: wanted.siteName ?? '',
  };
  const fill = (template: string): string =>
    template.replaceAll(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
  const id = fill(wanted.id ?? idTemplate(group, settings?.['id_template']));
  checkIdentifier('deployment_id', id, { mayStartWithDigit: true });
  const written = wanted.displayName ?? settings?.['display_name'];
  return {
    ...wanted,
    id,
    displayName: typeof written === 'string' ? fill(written) : id,
    inputs: { ...group.defaultInputs, ...wanted.inputs },
  };
}

/** @throws GantryError conflict_error for a template that gives every deployment the same id */
function idTemplate(group: DeploymentGroup, written: unknown): string {
  if (typeof written !== 'string' || written === '') {
    return `{group_id}-{uuid}`;
  }
  if (!written.includes('{uuid}') && !written.includes('{count}')) {
    throw new GantryError(
      'conflict_error',
      `Cannot create deployments in group ${group.id}: the id_template \`${written}\` of the blueprint gives all of ` +
        'them the same id; it must contain {uuid} or {count}',
    );
  }
  return written;
}

/** Storage ids of sites by name; each is looked up once. */
async function findSites(
  lookups: CreationLookups,
  caller: TenantCaller,
  { visibility }: DeploymentGroup,
  named: readonly NamedDeployment[],
  transaction: Transaction,
): Promise<ReadonlyMap<string, number | undefined>> {
  const sites = new Map<string, number | undefined>();
  for (const { id, siteName } of named) {
    if (siteName !== undefined && !sites.has(siteName)) {
      sites.set(siteName, await lookups.findSite(transaction, caller, { id, siteName, visibility }));
    }
  }
  return sites;
}

async function startCreation(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  batch: {
    group: DeploymentGroup;
    blueprint: Blueprint;
    named: readonly NamedDeployment[];
    storageIds: readonly number[];
  },
  transaction: Transaction,
): Promise<void> {
  const { group, blueprint, named, storageIds } = batch;
  const created = { created_at: new Date(dependencies.clock.now()).toISOString(), created_by: caller.user.username };
  const { executions } = await storeExecutionGroup(
    transaction,
    caller,
    {
      id: dependencies.newId(),
      workflowId: 'create_deployment_environment',
      concurrency: creationConcurrency,
      visibility: group.visibility,
      deploymentGroupStorageId: group.storageId,
    },
    named.map((deployment, index) => {
      const labels = uniqueLabels([...deployment.labels, ...group.labels]).map((label) => ({ ...label, ...created }));
      return {
        id: dependencies.newId(),
        tenantId: caller.tenant.id,
        creatorId: caller.user.id,
        visibility: group.visibility,
        workflowId: 'create_deployment_environment',
        status: 'queued' as const,
        parameters: {
          inputs: deployment.inputs,
          display_name: deployment.displayName,
          ...(labels.length > 0 ? { labels } : {}),
        },
        deploymentStorageId: storageIds[index],
        blueprintId: blueprint.id,
      };
    }),
  );
  await setCreateExecutions(
    transaction,
    executions.map(({ id }) => id),
  );
  await startReady(dependencies, transaction);
}

function uniqueLabels(labels: readonly NewLabel[]): { key: string; value: string }[] {
  return [...new Map(labels.map(({ key, value }) => [`${key}\n${value}`, { key, value }])).values()];
}
