import { join } from 'node:path';
import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Blueprint, Execution } from '../domain/entities.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { Json, JsonObject, Plan } from '../domain/plan.ts';
import type { PluginsUpdate } from '../domain/resources.ts';
import type { PluginsUpdateState } from '../domain/states.ts';
import { DslError } from '../dsl/errors.ts';
import type { BlueprintParser } from '../executor/system/blueprint-parser.ts';
import { ParseFailure } from '../executor/system/blueprint-parser.ts';
import { chooseVersions, importCatalogue } from '../executor/system/import-catalogue.ts';
import { parseDirectory } from '../executor/system/parse-directory.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { createBlueprint, getBlueprint } from '../store/blueprints.ts';
import { createExecutions, getExecution } from '../store/executions.ts';
import {
  createPluginsUpdate,
  failPluginsUpdates,
  findActivePluginsUpdates,
  findDeploymentsUsing,
  getPluginsUpdate,
  settleAbandonedUpdates,
  completePluginsUpdate,
} from '../store/plugins-updates.ts';
import type { Session, Transaction } from '../store/session.ts';
import { havePluginsChanged, versionRulesOf } from '../topology/index.ts';
import type { PluginChoice } from '../topology/index.ts';
import { listScopeOf, requirePermission, scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';
import { sendAfterCommit } from './outbox.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** An update of plugins as it is asked for. */
export interface PluginsUpdateOrder {
  readonly choice: PluginChoice;
  /** Deployments are updated without regard to those that depend on them. */
  readonly isForced: boolean;
  readonly autoCorrectTypes: boolean;
  /** Looks first whether updates that are said to be under way still are; `isForced` does, too. */
  readonly reevaluatesStates: boolean;
  /** Deployments of a global blueprint in all tenants where the caller may update deployments. */
  readonly isAllTenants: boolean;
}

/** An update that is stored as it is; nothing is run. */
export interface PluginsUpdateRecord {
  /** Undefined = a new one. */
  readonly id: string | undefined;
  readonly state: PluginsUpdateState;
  readonly isForced: boolean;
  readonly isAllTenants: boolean;
  readonly executionId: string | undefined;
  readonly temporaryBlueprintId: string | undefined;
  readonly deploymentsToUpdate: Json | undefined;
  readonly deploymentsPerTenant: Json | undefined;
  readonly origin: Origin;
}

export interface PluginsUpdateService {
  /**
   * Brings the deployments of a blueprint to other versions of its plugins.
   * @throws GantryError not_found_error, conflict_error while one is under way, plugins_update_failed when the blueprint
   *   cannot be parsed with these versions
   */
  initiate(
    caller: TenantCaller,
    blueprintId: string,
    order: PluginsUpdateOrder,
    signal: AbortSignal,
  ): Promise<PluginsUpdate>;
  /** @throws GantryError not_found_error, illegal_action_error, plugins_update_failed */
  finalize(caller: TenantCaller, id: string): Promise<PluginsUpdate>;
  /** @throws GantryError forbidden_error without set_plugin_update_details, not_found_error, conflict_error */
  record(caller: TenantCaller, blueprintId: string, record: PluginsUpdateRecord): Promise<PluginsUpdate>;
}

/** A blueprint that is there, with the plan it would have. */
interface Replanned {
  readonly blueprint: Blueprint;
  readonly plan: Plan;
  readonly isChanged: boolean;
}

type Dependencies = ServiceDependencies & { readonly parser: BlueprintParser };

function requireUploaded(blueprint: Blueprint): { plan: Plan; mainFileName: string } {
  const { id, state, plan, mainFileName } = blueprint;
  if (state !== 'uploaded' || !plan || mainFileName === undefined) {
    throw new GantryError('bad_parameters_error', `Blueprint ${id} is not \`uploaded\` but: \`${state}\``);
  }
  return { plan, mainFileName };
}

async function refuseActive(session: Session, blueprint: Blueprint, order: PluginsUpdateOrder): Promise<void> {
  if (order.reevaluatesStates || order.isForced) {
    await settleAbandonedUpdates(session, blueprint.storageId);
  }
  const active = await findActivePluginsUpdates(session, blueprint.storageId);
  if (active.length > 0) {
    throw new GantryError(
      'conflict_error',
      `There are plugins updates still active, update IDs: ${active.map(({ id }) => id).join(', ')}`,
    );
  }
}

async function replan(
  dependencies: Dependencies,
  caller: TenantCaller,
  blueprintId: string,
  order: PluginsUpdateOrder,
  signal: AbortSignal,
): Promise<Replanned> {
  const { database, files } = dependencies;
  const blueprint = await getBlueprint(database, scopeOf(caller), blueprintId);
  requireOwnTenant(caller, blueprint);
  const { plan: before, mainFileName } = requireUploaded(blueprint);
  await refuseActive(database, blueprint, order);
  const rules = versionRulesOf(before, order.choice);
  const directory = files.blueprintDirectory(blueprint.tenantName, blueprint.id);
  try {
    const plan = await parseDirectory(dependencies, {
      session: database,
      directory,
      mainFilePath: join(directory, mainFileName),
      tenantName: blueprint.tenantName,
      catalogue: chooseVersions(importCatalogue(database, files, blueprint.tenantId), rules),
      rewrites: rules.rewrites,
      signal,
    });
    return { blueprint, plan, isChanged: havePluginsChanged(before, plan) };
  } catch (thrown) {
    if (!(thrown instanceof ParseFailure || thrown instanceof DslError)) {
      throw thrown;
    }
    throw new GantryError(
      'plugins_update_failed',
      `Blueprint ${blueprint.id} cannot be parsed with the plugins chosen: ${coerceError(thrown).message}`,
      { cause: thrown },
    );
  }
}

/** A copy of the blueprint with the new plan, which no list shows. Its execution gives it its files. */
async function createTemporary(
  transaction: Transaction,
  caller: TenantCaller,
  { blueprint, plan }: Replanned,
  now: Date,
): Promise<Blueprint> {
  const stamp = now.toISOString().replaceAll(/[-:Z]/g, '');
  const comment = `copied from ${blueprint.id} at ${now.toISOString()} on plugins update`;
  return createBlueprint(transaction, {
    id: `plugins-update-${stamp}-${blueprint.id}`,
    tenantId: blueprint.tenantId,
    creatorId: caller.user.id,
    visibility: blueprint.visibility,
    state: 'uploaded',
    isHidden: true,
    mainFileName: blueprint.mainFileName,
    description: blueprint.description === undefined ? comment : `${blueprint.description}\n${comment}`,
    plan,
    requirements: plan.requirements,
  });
}

async function deploymentsToUpdate(
  transaction: Transaction,
  caller: TenantCaller,
  blueprint: Blueprint,
  isAllTenants: boolean,
): Promise<Record<string, string[]>> {
  const { tenants = [caller.tenant.id] } = listScopeOf(caller, isAllTenants, 'deployment_update_create');
  const byTenant: Record<string, string[]> = {};
  for (const { id, tenantName } of await findDeploymentsUsing(transaction, blueprint.storageId, tenants)) {
    (byTenant[tenantName] ??= []).push(id);
  }
  return byTenant;
}

async function createOwnExecution(
  { newId }: ServiceDependencies,
  transaction: Transaction,
  caller: TenantCaller,
  parameters: JsonObject,
  ended: Date | undefined,
): Promise<{ execution: Execution; token: string }> {
  const { token, tokenHash } = createExecutionToken();
  const [execution] = await createExecutions(transaction, [
    {
      id: newId(),
      tenantId: caller.tenant.id,
      creatorId: caller.user.id,
      visibility: 'tenant',
      workflowId: 'update_plugin',
      status: ended ? 'terminated' : 'pending',
      parameters,
      isSystemWorkflow: true,
      allowCustomParameters: true,
      startedAt: ended,
      endedAt: ended,
      ...(ended ? {} : { tokenHash }),
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  return { execution, token };
}

async function start(
  dependencies: Dependencies,
  caller: TenantCaller,
  replanned: Replanned,
  order: PluginsUpdateOrder,
  transaction: Transaction,
): Promise<PluginsUpdate> {
  const { isChanged } = replanned;
  const now = new Date(dependencies.clock.now());
  const blueprint = await getBlueprint(transaction, scopeOf(caller), replanned.blueprint.id, {
    fields: ['id', 'state', 'updatedAt'],
    lock: true,
  });
  await refuseActive(transaction, blueprint, order);
  if (blueprint.updatedAt?.getTime() !== replanned.blueprint.updatedAt?.getTime()) {
    throw new GantryError('conflict_error', `Blueprint ${blueprint.id} was changed meanwhile; try again`);
  }
  const temporary = isChanged ? await createTemporary(transaction, caller, replanned, now) : undefined;
  const perTenant = isChanged ? await deploymentsToUpdate(transaction, caller, blueprint, order.isAllTenants) : null;
  const id = dependencies.newId();
  const parameters = {
    update_id: id,
    deployments_to_update: null,
    deployments_per_tenant: perTenant,
    temp_blueprint_id: temporary?.id ?? null,
    force: order.isForced,
    auto_correct_types: order.autoCorrectTypes,
    reevaluate_active_statuses: order.reevaluatesStates,
  };
  const ended = isChanged ? undefined : now;
  const { execution, token } = await createOwnExecution(dependencies, transaction, caller, parameters, ended);
  const update = await createPluginsUpdate(transaction, {
    id,
    tenantId: caller.tenant.id,
    creatorId: caller.user.id,
    visibility: blueprint.visibility,
    state: isChanged ? 'executing_workflow' : 'no_changes_required',
    blueprintStorageId: blueprint.storageId,
    isForced: order.isForced,
    isAllTenants: order.isAllTenants,
    temporaryBlueprintStorageId: temporary?.storageId,
    executionStorageId: execution.storageId,
    deploymentsPerTenant: perTenant ?? undefined,
  });
  if (isChanged) {
    await sendAfterCommit(transaction, dependencies.outbox, [workflowMessage(execution, { executionToken: token })]);
  }
  return update;
}

async function finalize(caller: TenantCaller, id: string, transaction: Transaction): Promise<GantryError | undefined> {
  const update = await getPluginsUpdate(transaction, scopeOf(caller), id);
  requireOwnTenant(caller, update);
  const { executionId, state } = update;
  const execution =
    executionId === undefined ? undefined : await getExecution(transaction, scopeOf(caller), executionId);
  if (state !== 'executing_workflow') {
    throw new GantryError(
      'illegal_action_error',
      `Cannot finalize plugins update ${id}, it's not in the executing_workflow state.`,
    );
  }
  if (execution?.status === 'failed' || execution?.status === 'cancelled') {
    await failPluginsUpdates(transaction, [execution.storageId]);
    return new GantryError('plugins_update_failed', `The execution of plugins update ${id} ${execution.status}.`);
  }
  if (execution && execution.status !== 'terminated') {
    throw new GantryError(
      'illegal_action_error',
      `Plugins update ${id} is carried out by execution ${execution.id}, which ends it by itself`,
    );
  }
  await completePluginsUpdate(transaction, update.storageId);
  return undefined;
}

/** Makes the use cases of updates of plugins. */
export function createPluginsUpdateService(dependencies: Dependencies): PluginsUpdateService {
  const { database, newId } = dependencies;
  return {
    async initiate(caller, blueprintId, order, signal) {
      const replanned = await replan(dependencies, caller, blueprintId, order, signal);
      return database.transactionAs(actorOf(caller), (transaction) =>
        start(dependencies, caller, replanned, order, transaction),
      );
    },

    async finalize(caller, id) {
      const refusal = await database.transactionAs(actorOf(caller), (transaction) => finalize(caller, id, transaction));
      if (refusal) {
        throw refusal;
      }
      return getPluginsUpdate(database, scopeOf(caller), id);
    },

    record(caller, blueprintId, record) {
      requirePermission(caller, 'set_plugin_update_details');
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const scope = scopeOf(caller);
        const blueprint = await getBlueprint(transaction, scope, blueprintId, { fields: ['id'] });
        requireOwnTenant(caller, blueprint);
        const { temporaryBlueprintId: temporaryId, executionId } = record;
        const temporary =
          temporaryId === undefined
            ? undefined
            : await getBlueprint(transaction, scope, temporaryId, { fields: ['id'] });
        const execution = executionId === undefined ? undefined : await getExecution(transaction, scope, executionId);
        return createPluginsUpdate(transaction, {
          id: record.id ?? newId(),
          tenantId: caller.tenant.id,
          creatorId: await ownerId(transaction, caller, record.origin.creator),
          createdAt: creationTime(caller, record.origin.createdAt),
          visibility: blueprint.visibility,
          state: record.state,
          blueprintStorageId: blueprint.storageId,
          isForced: record.isForced,
          isAllTenants: record.isAllTenants,
          temporaryBlueprintStorageId: temporary?.storageId,
          executionStorageId: execution?.storageId,
          deploymentsToUpdate: record.deploymentsToUpdate,
          deploymentsPerTenant: record.deploymentsPerTenant,
        });
      });
    },
  };
}
