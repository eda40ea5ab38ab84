import type { JsonObject, PlanWorkflow } from '../domain/plan.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import type { Session } from './session.ts';
import { toJson, withoutNulls } from './values.ts';

/** What decides whether an execution that has waited may begin, and with what. */
export interface Beginning {
  /** Storage id of the execution. */
  storageId: number;
  isForced: boolean;
  /** It was started together with others, which were checked together. */
  isInGroup: boolean;
  /** As they were given; undefined = it begins with the parameters it has. */
  requestedParameters: JsonObject | undefined;
  /** Undefined when it is of no deployment; so are the others. */
  deploymentId: string | undefined;
  blueprintId: string | undefined;
  /** As the deployment has it now; undefined when it has none of that name. */
  workflow: PlanWorkflow | undefined;
  /** Of the execution that creates the deployment; undefined when that is gone, or the execution itself. */
  creationStatus: ExecutionStatus | undefined;
  creationError: string | undefined;
}

/** Reads what decides about the beginning of executions, by their storage ids. */
export async function findBeginnings(
  session: Session,
  storageIds: readonly number[],
): Promise<ReadonlyMap<number, Beginning>> {
  const rows = await session.prepared<Beginning>(
    `select execution.storage_id as "storageId", execution.is_forced as "isForced",
       exists (select from execution_groups_executions where execution_id = execution.storage_id) as "isInGroup",
       execution.requested_parameters as "requestedParameters", deployment.id as "deploymentId",
       blueprint.id as "blueprintId", deployment.workflows -> execution.workflow_id as workflow,
       creation.status as "creationStatus", creation.error as "creationError"
     from executions execution
     left join deployments deployment on deployment.storage_id = execution.deployment_id
     left join blueprints blueprint on blueprint.storage_id = deployment.blueprint_id
     left join executions creation on creation.storage_id = deployment.create_execution_id
       and creation.storage_id <> execution.storage_id
     where execution.storage_id = any($1)`,
    [[...storageIds]],
  );
  return new Map(rows.map((row) => [row.storageId, withoutNulls(row)]));
}

/** What an execution begins with. */
export interface BeginningWith {
  storageId: number;
  /** Undefined = as they are. */
  parameters: JsonObject | undefined;
  blueprintId: string | undefined;
}

/** Stores what executions begin with, in one statement. */
export async function storeBeginnings(session: Session, beginnings: readonly BeginningWith[]): Promise<void> {
  await session.prepared(
    `update executions execution set parameters = coalesce(given.parameters, execution.parameters),
       blueprint_id = coalesce(given."blueprintId", execution.blueprint_id)
     from json_to_recordset($1::json) as given ("storageId" bigint, parameters jsonb, "blueprintId" text)
     where execution.storage_id = given."storageId"`,
    [toJson(beginnings)],
  );
}
