import { randomBytes } from 'node:crypto';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { executionStatuses } from '../../domain/states.ts';
import type { ExecutionStatus } from '../../domain/states.ts';
import type { TenantCaller } from '../../services/caller.ts';
import { idFor } from '../../services/done-requests.ts';
import type { ScheduleService } from '../../services/schedules.ts';
import type { ExecutionRecord } from '../../services/execution-records.ts';
import { executionActions, reportableStatuses } from '../../services/executions.ts';
import type { ExecutionAction, ExecutionService } from '../../services/executions.ts';
import { json, list, pageOf, record, single } from '../answer.ts';
import { originOf, originProperties } from '../origin.ts';
import { listAnswer, parseList, readBoolean } from '../query.ts';
import { pythonRepr, pythonTypeName } from '../../domain/python-text.ts';
import { created, ok } from '../route.ts';
import { textMember } from '../body.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { breakpointsSchema, readBreakpoints } from './execution-control.ts';
import { executionShape } from '../shapes/execution.ts';
import { shapeOne } from '../shapes/field.ts';
import { readTime } from '../../domain/read-time.ts';

const booleanOrText = { type: ['boolean', 'string', 'null'] };

const startSchema = {
  type: 'object',
  required: ['deployment_id', 'workflow_id'],
  properties: {
    deployment_id: { type: 'string' },
    workflow_id: { type: 'string' },
    parameters: {},
    allow_custom_parameters: booleanOrText,
    force: booleanOrText,
    dry_run: booleanOrText,
    queue: booleanOrText,
    wait_after_fail: { type: ['integer', 'string', 'null'] },
    scheduled_time: { type: ['string', 'null'] },
    breakpoints: breakpointsSchema,
    ...originProperties,
    id: { type: ['string', 'null'], maxLength: 256 },
    force_status: { type: ['string', 'null'] },
    error: { type: ['string', 'null'] },
    started_at: { type: ['string', 'null'] },
    ended_at: { type: ['string', 'null'] },
    is_system_workflow: { type: ['boolean', 'null'] },
  },
};

/** What only an execution has that is restored with its status. */
const recordMembers = [
  'id',
  'error',
  'started_at',
  'ended_at',
  'is_system_workflow',
  'created_by',
  'created_at',
] as const;

const actionSchema = { type: 'object', required: ['action'], properties: { action: {} } };

const purgeSchema = {
  type: 'object',
  properties: {
    keep_last: { type: ['integer', 'null'], minimum: 1, maximum: 2_147_483_647 },
    to_datetime: { type: ['string', 'null'] },
  },
};

const statusSchema = {
  type: 'object',
  required: ['status'],
  properties: { status: { type: 'string' }, error: { type: ['string', 'null'] } },
};

function flag(body: JsonObject, name: string): boolean {
  const value = body[name];
  return value === undefined || value === null ? false : readBoolean(value, name);
}

function parametersOf(body: JsonObject): JsonObject {
  const { parameters } = body;
  if (parameters === undefined || parameters === null) {
    return {};
  }
  if (typeof parameters !== 'object' || Array.isArray(parameters)) {
    throw new GantryError(
      'bad_parameters_error',
      `request body's 'parameters' field must be a dict but is of type ${pythonTypeName(parameters)}`,
    );
  }
  return parameters;
}

function waitOf(body: JsonObject): number {
  const value = Number(body['wait_after_fail'] ?? 600);
  if (!Number.isInteger(value) || value < 0) {
    throw new GantryError('bad_parameters_error', 'wait_after_fail must be a whole number of seconds');
  }
  return value;
}

function actionOf(body: JsonObject): ExecutionAction {
  const action = executionActions.find((known) => known === body['action']);
  if (!action) {
    throw new GantryError(
      'bad_parameters_error',
      `Invalid action: ${textMember(body, 'action')}, Valid action values are: ${pythonRepr(executionActions)}`,
    );
  }
  return action;
}

function statusOf(body: JsonObject): ExecutionStatus {
  const status = reportableStatuses.find((known) => known === body['status']);
  if (!status) {
    throw new GantryError(
      'bad_parameters_error',
      `Invalid execution status: ${textMember(body, 'status')}. Valid statuses are: ${pythonRepr(reportableStatuses)}`,
    );
  }
  return status;
}

function optionalText(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function optionalTime(body: JsonObject, name: string): Date | undefined {
  const value = optionalText(body, name);
  return value === undefined ? undefined : readTime(value, name);
}

/**
 * The execution of the past that a body tells of; undefined when it asks to start one.
 * @throws GantryError bad_parameters_error for an unknown status, or for what is told without one
 */
function recordOf(body: JsonObject): ExecutionRecord | undefined {
  const wanted = optionalText(body, 'force_status');
  if (wanted === undefined) {
    const told = recordMembers.filter(
      (name) => body[name] !== undefined && ![null, '', false].includes(body[name] as null),
    );
    if (told.length > 0) {
      throw new GantryError(
        'bad_parameters_error',
        `${told.join(', ')}: only with force_status, of an execution of the past`,
      );
    }
    return undefined;
  }
  if (optionalText(body, 'scheduled_time') !== undefined) {
    throw new GantryError('bad_parameters_error', 'A status cannot be forced when scheduling an execution.');
  }
  const status = executionStatuses.find((known) => known === wanted);
  if (!status) {
    throw new GantryError(
      'bad_parameters_error',
      `Force status was set to invalid state "${wanted}". Valid states are: ${executionStatuses.join(',')}`,
    );
  }
  return {
    status,
    id: optionalText(body, 'id'),
    deploymentId: optionalText(body, 'deployment_id'),
    workflowId: textMember(body, 'workflow_id'),
    parameters: parametersOf(body),
    error: typeof body['error'] === 'string' ? body['error'] : undefined,
    isSystemWorkflow: flag(body, 'is_system_workflow'),
    isDryRun: flag(body, 'dry_run'),
    allowCustomParameters: flag(body, 'allow_custom_parameters'),
    waitAfterFail: waitOf(body),
    origin: originOf(body),
    startedAt: optionalTime(body, 'started_at'),
    endedAt: optionalTime(body, 'ended_at'),
  };
}

/** An execution of which nothing is known yet. */
const noExecution = Object.fromEntries(executionShape.fields.map(({ name }) => [name, null]));

/** Makes a schedule that fires once. @throws GantryError bad_parameters_error for a time that is over */
async function scheduleOnce(
  schedules: ScheduleService,
  caller: TenantCaller,
  request: JsonObject,
  time: string,
): Promise<void> {
  const since = readTime(compactTime(time), 'scheduled_time');
  if (since.getTime() <= Date.now()) {
    throw new GantryError(
      'bad_parameters_error',
      `Date \`${time}\` has already passed, please provide valid date. \nExpected format: YYYYMMDDHHMM+HHMM or ` +
        'YYYYMMDDHHMM-HHMM i.e: 201801012230-0500 (Jan-01-18 10:30pm EST)',
    );
  }
  const workflowId = textMember(request, 'workflow_id');
  await schedules.create(
    caller,
    textMember(request, 'deployment_id'),
    `${workflowId}_${randomBytes(8).toString('hex')}`,
    {
      workflowId,
      since,
      until: undefined,
      rrule: undefined,
      recurrence: undefined,
      count: 1,
      weekdays: undefined,
      slip: 0,
      stopOnFail: false,
      isEnabled: true,
      parameters: parametersOf(request),
      origin: {},
      executionArguments: {
        allow_custom_parameters: flag(request, 'allow_custom_parameters'),
        force: flag(request, 'force'),
        dry_run: flag(request, 'dry_run'),
        wait_after_fail: waitOf(request),
      },
    },
  );
}

/** `YYYYMMDDHHMM+HHMM` in the usual form; other forms as they are. */
function compactTime(text: string): string {
  const [, year, month, day, hour, minute, zone] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)([+-]\d{4})?$/.exec(text.trim()) ?? [];
  return year === undefined
    ? text
    : `${year}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:00${zone === undefined ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3)}`}`;
}

/** The id an execution gets: the one that was asked for, or that of the request; undefined = any. */
function newIdOf({ once }: TenantCaller, record: ExecutionRecord | undefined): string | undefined {
  return record?.id ?? (once && idFor(once));
}

/** Routes of `/executions`. */
export function executionRoutes(executions: ExecutionService, schedules: ScheduleService): Route[] {
  const show = async ({ tenantCaller, parameters, query }: ApiCall): Promise<Answer> => {
    const execution = await executions.get(tenantCaller, parameters['execution_id'] ?? '');
    return ok(shapeOne(executionShape, execution, query.include()));
  };
  return [
    {
      method: 'get',
      path: '/executions',
      summary: 'List executions',
      access: { permission: 'execution_list', hasAllTenants: true },
      query: ['_include_system_workflows', '_group_id'],
      answer: pageOf(executionShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, executionShape);
        const showsSystem = query.flag('_include_system_workflows') || query.has('is_system_workflow');
        const filters = { ...parsed.query.filters, ...(showsSystem ? {} : { isSystemWorkflow: ['false'] }) };
        const list = { ...parsed.query, filters };
        const page = await executions.list(caller, list, parsed.isAllTenants, query.one('_group_id'));
        return ok(listAnswer(parsed, page));
      },
    },
    {
      method: 'post',
      path: '/executions',
      summary: 'Start a workflow on a deployment',
      access: { permission: 'execution_start' },
      body: startSchema,
      isRefusedWhileCancelling: true,
      answer: single(executionShape),
      handle: async ({ tenantCaller, query, body }) => {
        const request = body as JsonObject;
        const record = recordOf(request);
        if (record) {
          const recorded = await executions.record(tenantCaller, { ...record, id: newIdOf(tenantCaller, record) });
          return created(shapeOne(executionShape, recorded, query.include()));
        }
        const scheduledTime = request['scheduled_time'];
        if (typeof scheduledTime === 'string' && scheduledTime !== '') {
          await scheduleOnce(schedules, tenantCaller, request, scheduledTime);
          return created({ ...noExecution, status: 'scheduled', status_display: 'scheduled' });
        }
        const execution = await executions.start(tenantCaller, {
          deploymentId: textMember(request, 'deployment_id'),
          workflowId: textMember(request, 'workflow_id'),
          allowCustomParameters: flag(request, 'allow_custom_parameters'),
          force: flag(request, 'force'),
          isDryRun: flag(request, 'dry_run'),
          queue: flag(request, 'queue'),
          parameters: parametersOf(request),
          waitAfterFail: waitOf(request),
          breakpoints: readBreakpoints(request['breakpoints']),
          ...(tenantCaller.once ? { id: idFor(tenantCaller.once) } : {}),
        });
        return created(shapeOne(executionShape, execution, query.include()));
      },
      replay: async ({ tenantCaller, query, body }) => {
        const record = recordOf(body as JsonObject);
        const { scheduled_time: scheduledTime } = body as JsonObject;
        if (!record && typeof scheduledTime === 'string' && scheduledTime !== '') {
          return created({ ...noExecution, status: 'scheduled', status_display: 'scheduled' });
        }
        const id = newIdOf(tenantCaller, record) ?? '';
        return created(shapeOne(executionShape, await executions.get(tenantCaller, id), query.include()));
      },
    },
    {
      method: 'delete',
      path: '/executions',
      summary: 'Remove ended executions',
      access: { permission: 'execution_delete', hasAllTenants: true },
      body: purgeSchema,
      isBodyOptional: true,
      answer: json(
        record(undefined, {
          items: list(record(undefined, { count: 'integer' })),
          metadata: record(undefined, { pagination: {} }),
        }),
      ),
      handle: async ({ caller, query, body }) => {
        const { keep_last: keepLast, to_datetime: before } = body as JsonObject;
        const parsed = parseList(query, executionShape);
        const count = await executions.purge(caller, {
          query: parsed.query,
          isAllTenants: parsed.isAllTenants,
          keepLast: typeof keepLast === 'number' ? keepLast : undefined,
          before: typeof before === 'string' ? readTime(before, 'to_datetime') : undefined,
        });
        return ok({ items: [{ count }], metadata: { pagination: {} } });
      },
    },
    {
      method: 'get',
      path: '/executions/:execution_id/should-start',
      summary: 'Whether an execution could run now',
      access: { permission: 'execution_should_start' },
      answer: json({ type: 'boolean' }),
      handle: async ({ tenantCaller, parameters }) =>
        ok(await executions.mayStart(tenantCaller, parameters['execution_id'] ?? '')),
    },
    {
      method: 'get',
      path: '/executions/:execution_id',
      summary: 'Get an execution',
      access: { permission: 'execution_get' },
      answer: single(executionShape),
      handle: show,
    },
    {
      method: 'post',
      path: '/executions/:execution_id',
      summary: 'Cancel, kill, resume, pause or unpause an execution',
      access: { permission: 'execution_cancel' },
      body: actionSchema,
      answer: single(executionShape),
      handle: async ({ tenantCaller, parameters, query, body }) => {
        const action = actionOf(body as JsonObject);
        const execution = await executions.act(tenantCaller, parameters['execution_id'] ?? '', action);
        return ok(shapeOne(executionShape, execution, query.include()));
      },
      replay: show,
    },
    {
      method: 'patch',
      path: '/executions/:execution_id',
      summary: 'Report the status of an execution',
      access: { permission: 'execution_status_update' },
      body: statusSchema,
      answer: single(executionShape),
      handle: async ({ tenantCaller, parameters, query, body }) => {
        const request = body as JsonObject;
        const error = typeof request['error'] === 'string' ? request['error'] : '';
        const id = parameters['execution_id'] ?? '';
        const execution = await executions.report(tenantCaller, id, statusOf(request), error);
        return ok(shapeOne(executionShape, execution, query.include()));
      },
      replay: show,
    },
  ];
}
