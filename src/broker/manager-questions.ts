import { notFound } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { ManagerQuestion, OperationContext } from '../runtime/types.ts';
import { findExecution } from '../store/executions.ts';
import { listOperations } from '../store/operations.ts';
import { readProviderContext } from '../store/provider-context.ts';
import type { Session } from '../store/session.ts';
import { findSettings, listSettings } from '../store/settings.ts';
import type { Setting } from '../store/settings.ts';

/**
 * Answers what scripts may ask the manager, in the shapes of its REST service.
 * @throws GantryError not_found_error
 */
export async function answerQuestion(
  session: Session,
  context: OperationContext,
  question: ManagerQuestion,
): Promise<Json> {
  switch (question.kind) {
    case 'execution':
      return executionAnswer(session, context);
    case 'operation':
      return operationAnswer(session, context);
    case 'tenant':
      return { name: context.tenant?.name ?? '' };
    case 'provider-context':
      return ((await readProviderContext(session)) ?? null) as unknown as Json;
    case 'config':
      return configAnswer(session, question);
    case 'managers':
      return listOf(session, 'managers', question.network);
    case 'brokers':
      return listOf(session, 'brokers', question.network);
  }
}

async function executionAnswer(session: Session, context: OperationContext): Promise<JsonObject> {
  const execution = await findExecution(session, context.execution_id ?? '');
  if (!execution) {
    throw notFound('Execution', context.execution_id ?? '');
  }
  return {
    id: execution.id,
    status: execution.status,
    workflow_id: execution.workflowId,
    deployment_id: execution.deploymentId ?? null,
    blueprint_id: execution.blueprintId ?? null,
    parameters: execution.parameters,
    is_dry_run: execution.isDryRun,
    is_system_workflow: execution.isSystemWorkflow,
    created_by: execution.createdBy,
    tenant_name: execution.tenantName,
  };
}

async function operationAnswer(session: Session, context: OperationContext): Promise<JsonObject> {
  const { task_id: id = '', execution_id: executionId = '' } = context;
  const execution = await findExecution(session, executionId);
  const scope = { tenantId: execution?.tenantId ?? -1 };
  const { items } = await listOperations(session, scope, { executionId }, { filters: { id: [id] }, size: 1 });
  const [operation] = items;
  if (!operation) {
    throw notFound('Operation', id);
  }
  return {
    id: operation.id,
    name: operation.name ?? null,
    state: operation.state,
    type: operation.type,
    dependencies: [...operation.dependencies],
    parameters: operation.parameters,
    tasks_graph_id: operation.tasksGraphId,
  };
}

function settingAnswer(setting: Setting): JsonObject {
  return { name: setting.name, scope: setting.scope, value: setting.value };
}

async function configAnswer(session: Session, question: { name?: string; scope?: string }): Promise<Json> {
  if (question.name === undefined) {
    return (await listSettings(session, question.scope)).map(settingAnswer);
  }
  const found = await findSettings(session, question.name, question.scope);
  const [setting] = found;
  if (!setting) {
    throw notFound('Config', question.name);
  }
  return settingAnswer(setting);
}

interface MemberRow {
  name: string;
  networks: { [network: string]: string } | null;
}

const memberStatements = {
  managers: 'select hostname as name, networks from managers order by id',
  brokers: 'select name, networks from brokers order by name',
} as const;

async function listOf(
  session: Session,
  what: keyof typeof memberStatements,
  network: string | undefined,
): Promise<Json> {
  const rows = await session.prepared<MemberRow>(memberStatements[what]);
  return rows
    .filter(({ networks }) => network === undefined || Object.hasOwn(networks ?? {}, network))
    .map(({ name, networks }) => ({ name, networks: networks ?? {} }));
}
