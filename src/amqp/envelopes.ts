import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import { operationError } from '../domain/operation-error.ts';
import type { OperationErrorObject, OperationReply } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';

/** A message that does not have the shape of its queue. */
export class MalformedMessageError extends Error {
  override readonly name = 'MalformedMessageError';
}

/** What an operation's worker is told besides the inputs. Plugins read all of it, so the names are theirs. */
export interface OperationContext {
  __cloudify_context: '0.3';
  type: 'operation';
  task_name: string;
  task_id: string;
  execution_id: string;
  execution_token?: string;
  rest_token?: string;
  tenant: { name: string };
  rest_host?: string | string[];
  rest_port?: number;
  workflow_id?: string;
  workflow_parameters?: JsonObject;
  blueprint_id?: string;
  deployment_id?: string;
  deployment_display_name?: string;
  deployment_creator?: string;
  deployment_resource_tags?: JsonObject;
  /** Node INSTANCE id. */
  node_id?: string;
  /** Node id. */
  node_name?: string;
  host_id?: string | null;
  related?: { node_id: string; node_name: string; is_target: boolean };
  operation?: { name: string; retry_number: number; max_retries: number; relationship?: 'source' | 'target' };
  has_intrinsic_functions?: boolean;
  plugin?: JsonObject;
  executor?: string | null;
  execution_env?: JsonObject;
  /** Seconds. */
  timeout?: number | null;
  timeout_recoverable?: boolean | null;
  task_queue?: string;
  task_target?: string;
  local?: boolean;
  bypass_maintenance?: boolean | null;
  execution_creator_username?: string;
  resume?: boolean;
  [key: string]: unknown;
}

/** A task for a worker: one operation of one node instance or relationship. */
export interface OperationTask {
  id: string;
  context: OperationContext;
  /** The operation's inputs. */
  kwargs: JsonObject;
}

export interface WorkflowContextMessage {
  type: 'workflow';
  execution_id: string;
  workflow_id: string;
  tenant: { name: string };
  execution_token?: string;
  resume?: boolean;
  [key: string]: unknown;
}

/** A task for an executor: one execution. */
export interface WorkflowTask {
  id: string;
  context: WorkflowContextMessage;
  parameters: JsonObject;
}

export interface ServiceTask {
  name: string;
  kwargs: JsonObject;
}

/** A log line or event as libraries and workers publish it. */
export interface LogItem {
  type: 'cloudify_log' | 'cloudify_event';
  timestamp?: string;
  message_code?: string | null;
  message: { text: string; arguments?: Json };
  context: JsonObject;
  event_type?: string;
  logger?: string;
  level?: string;
}

const ajv = new Ajv({ allowUnionTypes: true });
const text = { type: 'string', minLength: 1, maxLength: 4096 } as const;
const tenant = { type: 'object', required: ['name'], properties: { name: text } } as const;

interface TaskEnvelope {
  cloudify_task: { kwargs: JsonObject };
}

/** A task whose context has at least these members. */
function taskEnvelope(context: Readonly<Record<string, object>>): ValidateFunction<TaskEnvelope> {
  const within = (name: string, inner: object): object => ({
    type: 'object',
    required: [name],
    properties: { [name]: inner },
  });
  const whole = { type: 'object', required: Object.keys(context), properties: context };
  return ajv.compile<TaskEnvelope>(within('cloudify_task', within('kwargs', within('__cloudify_context', whole))));
}

const operationEnvelope = taskEnvelope({ task_name: text, task_id: text, execution_id: text, tenant });

const workflowEnvelope = taskEnvelope({ execution_id: text, workflow_id: text, tenant });

const serviceEnvelope = ajv.compile<{ service_task: { task_name: string; kwargs?: JsonObject | null } }>({
  type: 'object',
  required: ['service_task'],
  properties: {
    service_task: {
      type: 'object',
      required: ['task_name'],
      properties: { task_name: text, kwargs: { type: ['object', 'null'] } },
    },
  },
});

const replyEnvelope = ajv.compile<{ ok: boolean; result?: Json; error?: string | JsonObject }>({
  type: 'object',
  required: ['ok'],
  properties: { ok: { type: 'boolean' }, error: { type: ['string', 'object', 'null'] } },
});

const logEnvelope = ajv.compile<LogItem>({
  type: 'object',
  required: ['type', 'message', 'context'],
  properties: {
    type: { enum: ['cloudify_log', 'cloudify_event'] },
    timestamp: { type: 'string', maxLength: 64 },
    message_code: { type: ['string', 'null'] },
    message: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } },
    context: { type: 'object' },
    event_type: { type: ['string', 'null'] },
    logger: { type: ['string', 'null'] },
    level: { type: ['string', 'null'] },
  },
});

function check<Shape>(validate: ValidateFunction<Shape>, body: unknown, what: string): Shape {
  if (!validate(body)) {
    throw new MalformedMessageError(`Not ${what}: ${ajv.errorsText(validate.errors, { dataVar: 'message' })}`);
  }
  return body;
}

/**
 * Reads an operation task.
 * @throws MalformedMessageError naming the member that is wrong
 */
export function readOperationTask(body: unknown): OperationTask {
  const { __cloudify_context, ...kwargs } = check(operationEnvelope, body, 'an operation task').cloudify_task.kwargs;
  const context = __cloudify_context as unknown as OperationContext;
  return { id: context.task_id, context, kwargs };
}

/** Writes an operation task. */
export function writeOperationTask(task: OperationTask): object {
  return { id: task.id, cloudify_task: { kwargs: { ...task.kwargs, __cloudify_context: task.context } } };
}

/**
 * Reads a workflow task.
 * @throws MalformedMessageError naming the member that is wrong
 */
export function readWorkflowTask(body: unknown): WorkflowTask {
  const { __cloudify_context, ...parameters } = check(workflowEnvelope, body, 'a workflow task').cloudify_task.kwargs;
  const context = __cloudify_context as unknown as WorkflowContextMessage;
  return { id: context.execution_id, context, parameters };
}

/** Writes a workflow task; `creatorId` is the database id of the user who started it. */
export function writeWorkflowTask(task: WorkflowTask, creatorId: number): object {
  return {
    id: task.id,
    execution_creator: creatorId,
    cloudify_task: { kwargs: { ...task.parameters, __cloudify_context: task.context } },
  };
}

/**
 * Reads a service task.
 * @throws MalformedMessageError naming the member that is wrong
 */
export function readServiceTask(body: unknown): ServiceTask {
  const { task_name: name, kwargs } = check(serviceEnvelope, body, 'a service task').service_task;
  return { name, kwargs: kwargs ?? {} };
}

/** Writes a service task. */
export function writeServiceTask(task: ServiceTask): object {
  return { service_task: { task_name: task.name, kwargs: task.kwargs } };
}

/**
 * Reads the reply to an operation. Workers answer unreadable tasks with a bare text as error, which becomes an
 * unrecoverable error object here.
 * @throws MalformedMessageError
 */
export function readReply(body: unknown): OperationReply {
  const reply = check(replyEnvelope, body, 'a reply');
  if (reply.ok) {
    return { ok: true, result: reply.result ?? null };
  }
  if (typeof reply.error === 'object' && reply.error !== null && typeof reply.error['message'] === 'string') {
    return { ok: false, error: completeError(reply.error, reply.error['message']) };
  }
  const message = typeof reply.error === 'string' ? reply.error : 'The worker gave no reason';
  return { ok: false, error: operationError({ kind: 'NonRecoverableError', message }) };
}

const knownKinds = [
  'RecoverableError',
  'NonRecoverableError',
  'OperationRetry',
  'HttpException',
  'StopAgent',
  'WorkflowFailed',
] as const;

/** Fills what a sloppy worker left out, so that the engine and clients can rely on every member. */
function completeError(error: JsonObject, message: string): OperationErrorObject {
  const kind = knownKinds.find((known) => known === error['known_exception_type']) ?? 'RecoverableError';
  const kwargs = error['known_exception_type_kwargs'];
  const causes = typeof kwargs === 'object' && kwargs !== null && !Array.isArray(kwargs) ? kwargs['causes'] : undefined;
  const type = typeof error['exception_type'] === 'string' ? error['exception_type'] : kind;
  return {
    ...error,
    exception_type: type,
    message,
    known_exception_type: kind,
    known_exception_type_args: Array.isArray(error['known_exception_type_args'])
      ? error['known_exception_type_args']
      : [],
    known_exception_type_kwargs: {
      causes: Array.isArray(causes)
        ? (causes as unknown as OperationErrorObject['known_exception_type_kwargs']['causes'])
        : [{ type, message, traceback: null }],
    },
    append_message: error['append_message'] === true,
  };
}

/**
 * Reads a log line or event.
 * @throws MalformedMessageError
 */
export function readLogItem(body: unknown): LogItem {
  return check(logEnvelope, body, 'a log line or event');
}
