/** Functions in the parameters of a workflow, which are evaluated when its execution begins. */
import { coerceError } from '../domain/errors.ts';
import type { Execution } from '../domain/entities.ts';
import type { Json, JsonObject, PlanWorkflow } from '../domain/plan.ts';
import type { RevealSecret } from '../domain/resources.ts';
import { evaluateFunctions, isFunction, isMapping, parseFunction } from '../dsl/functions/index.ts';
import { createEvaluationStorage } from '../store/evaluation-storage.ts';
import { storeBeginnings } from '../store/execution-beginnings.ts';
import { loadViewer } from '../store/execution-viewer.ts';
import type { Session } from '../store/session.ts';
import { mergeWorkflowParameters } from '../workflows/declared-parameters.ts';
import { WorkflowRefused } from '../workflows/errors.ts';

function readsSecret(value: Json): boolean {
  if (parseFunction(value)?.name === 'get_secret') {
    return true;
  }
  return Array.isArray(value) ? value.some(readsSecret) : isMapping(value) && Object.values(value).some(readsSecret);
}

/** The value with another one in the place of each outermost call that reads no secret. */
function replaceCalls(value: Json, replace: (call: JsonObject) => Json): Json {
  if (isFunction(value)) {
    return readsSecret(value) ? value : replace(value);
  }
  if (Array.isArray(value)) {
    return value.map((item) => replaceCalls(item, replace));
  }
  return isMapping(value)
    ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaceCalls(item, replace)]))
    : value;
}

/**
 * Evaluates the functions in an execution's parameters and stores what they are, so that a resumed execution goes on
 * with the same values. Calls that read a secret stay as they are, since parameters are stored and shown; in inputs of
 * operations they are evaluated when the operation runs.
 *
 * Compatibility: Cloudify 7 evaluates all of them when the execution is asked for, and stores secrets in clear.
 *
 * @param workflow as its deployment declares it; what it says of types and constraints holds for the values
 * @throws WorkflowRefused when a function fails or a value is not what the workflow takes
 */
export async function beginParameters(
  { database, reveal }: { database: Session; reveal: RevealSecret },
  execution: Execution,
  workflow: PlanWorkflow | undefined,
): Promise<JsonObject> {
  const { parameters, storageId, tenantId, deploymentStorageId } = execution;
  const calls: JsonObject = {};
  replaceCalls(parameters, (call) => {
    calls[Object.keys(calls).length] = call;
    return null;
  });
  if (Object.keys(calls).length === 0 || deploymentStorageId === undefined) {
    return parameters;
  }
  const access = { viewer: await loadViewer(database, execution.creatorId), reveal };
  const storage = createEvaluationStorage(database, { storageId: deploymentStorageId, tenantId }, access);
  let evaluated: JsonObject;
  try {
    const values = Object.values(await evaluateFunctions(calls, {}, storage, 'parameters'));
    const written = replaceCalls(parameters, () => values.shift() ?? null) as JsonObject;
    evaluated = workflow
      ? mergeWorkflowParameters(execution.workflowId, workflow, written, { allowCustom: true })
      : written;
  } catch (thrown) {
    throw new WorkflowRefused(`The parameters cannot be evaluated: ${coerceError(thrown).message}`);
  }
  await storeBeginnings(database, [{ storageId, parameters: evaluated, blueprintId: undefined }]);
  return evaluated;
}
