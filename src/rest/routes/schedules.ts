import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { ExecutionSchedule } from '../../domain/resources.ts';
import type { ScheduleRequest, ScheduleService } from '../../services/schedules.ts';
import { nothing, pageOf, single } from '../answer.ts';
import { isObject } from '../body.ts';
import { listAnswer, parseList } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { knownStatus } from '../shapes/execution.ts';
import { commonFields, fieldsOf, shapeOne, visibilities } from '../shapes/field.ts';
import type { Shape } from '../shapes/field.ts';
import { readTime } from '../../domain/read-time.ts';
import { originOf, originProperties } from '../origin.ts';

interface ScheduleView extends ExecutionSchedule {
  readonly occurrences: readonly Date[];
}

const { text, integer, boolean, timestamp, json, computed } = fieldsOf<ScheduleView>();

/** `YYYY-MM-DD HH:MM:SS`, as clients print it. */
function plainTime(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ');
}

const scheduleShape: Shape<ScheduleView> = {
  kind: 'ExecutionSchedule',
  fields: [
    timestamp('created_at', 'createdAt'),
    text('id', 'id'),
    text('visibility', 'visibility', { values: visibilities }),
    timestamp('next_occurrence', 'nextOccurrence'),
    timestamp('since', 'since'),
    timestamp('until', 'until'),
    json('rule', 'rule'),
    integer('slip', 'slip'),
    text('workflow_id', 'workflowId'),
    json('parameters', 'parameters'),
    json('execution_arguments', 'executionArguments'),
    boolean('stop_on_fail', 'stopOnFail'),
    boolean('enabled', 'isEnabled'),
    text('deployment_id', 'deploymentId'),
    {
      ...text('latest_execution_status', 'latestExecutionStatus'),
      read: ({ latestExecutionStatus: status }) => status && knownStatus(status),
      alike: { started: ['paused'] },
    },
    ...commonFields<ScheduleView>(),
    computed('all_next_occurrences', ['rule'], ({ occurrences }) => occurrences.map(plainTime)),
  ],
};

const nullable = (type: string): JsonObject => ({ type: [type, 'null'] });

const scheduleSchema = {
  type: 'object',
  properties: {
    workflow_id: nullable('string'),
    since: nullable('string'),
    until: nullable('string'),
    rrule: nullable('string'),
    recurrence: nullable('string'),
    count: { type: ['integer', 'null'], minimum: 1 },
    weekdays: { type: ['array', 'null'], items: { type: 'string' } },
    slip: { type: ['integer', 'null'], minimum: 0 },
    stop_on_fail: nullable('boolean'),
    enabled: nullable('boolean'),
    parameters: nullable('object'),
    execution_arguments: nullable('object'),
    ...originProperties,
  },
};

function requestOf(body: JsonObject): ScheduleRequest {
  const given = (name: string): string | undefined => {
    const value = body[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const time = (name: string): Date | undefined => {
    const value = given(name);
    return value === undefined ? undefined : readTime(value, name);
  };
  const number = (name: string): number | undefined => (typeof body[name] === 'number' ? body[name] : undefined);
  const flag = (name: string): boolean | undefined => (typeof body[name] === 'boolean' ? body[name] : undefined);
  const object = (name: string): JsonObject | undefined => (isObject(body[name]) ? body[name] : undefined);
  const { weekdays } = body;
  return {
    workflowId: given('workflow_id'),
    since: time('since'),
    until: time('until'),
    rrule: given('rrule'),
    recurrence: given('recurrence'),
    count: number('count'),
    weekdays: Array.isArray(weekdays) ? weekdays.filter((day) => typeof day === 'string') : undefined,
    slip: number('slip'),
    stopOnFail: flag('stop_on_fail'),
    isEnabled: flag('enabled'),
    parameters: object('parameters'),
    executionArguments: object('execution_arguments'),
    origin: originOf(body),
  };
}

/** Occurrences to come that are told of one schedule, and of each in a list. */
const shownOfOne = 1000;
const shownInLists = 10;

/** Routes of `/execution-schedules`. */
export function scheduleRoutes(schedules: ScheduleService): Route[] {
  const view = (schedule: ExecutionSchedule, limit: number): ScheduleView => ({
    ...schedule,
    occurrences: schedules.occurrences(schedule, limit),
  });
  const show = (call: ApiCall, schedule: ExecutionSchedule): Record<string, unknown> =>
    shapeOne(scheduleShape, view(schedule, shownOfOne), call.query.include());
  const place = (call: ApiCall): [string, string] => [
    call.query.required('deployment_id'),
    call.parameters['schedule_id'] ?? '',
  ];
  const path = '/execution-schedules/:schedule_id';
  return [
    {
      method: 'get',
      path: '/execution-schedules',
      summary: 'List schedules of executions',
      access: { permission: 'execution_schedule_list', hasAllTenants: true },
      answer: pageOf(scheduleShape),
      handle: async ({ caller, query }) => {
        const parsed = parseList(query, scheduleShape, { search: { _search: 'id' } });
        const page = await schedules.list(caller, parsed.query, parsed.isAllTenants);
        return ok(listAnswer(parsed, { ...page, items: page.items.map((item) => view(item, shownInLists)) }));
      },
    },
    {
      method: 'get',
      path,
      summary: 'Get a schedule',
      access: { permission: 'execution_schedule_get' },
      query: ['deployment_id'],
      answer: single(scheduleShape),
      handle: async (call) => ok(show(call, await schedules.get(call.tenantCaller, ...place(call)))),
    },
    {
      method: 'put',
      path,
      summary: 'Create a schedule',
      access: { permission: 'execution_schedule_create' },
      query: ['deployment_id'],
      body: { ...scheduleSchema, required: ['workflow_id', 'since'] },
      answer: single(scheduleShape),
      handle: async (call) => {
        const request = requestOf(call.body as JsonObject);
        return created(show(call, await schedules.create(call.tenantCaller, ...place(call), request)));
      },
    },
    {
      method: 'patch',
      path,
      summary: 'Change a schedule',
      access: { permission: 'execution_schedule_create' },
      query: ['deployment_id'],
      body: scheduleSchema,
      answer: single(scheduleShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        if (Object.keys(body).length === 0) {
          throw new GantryError('illegal_action_error', 'Nothing to change in the schedule was given');
        }
        return created(show(call, await schedules.update(call.tenantCaller, ...place(call), requestOf(body))));
      },
    },
    {
      method: 'delete',
      path,
      summary: 'Delete a schedule',
      access: { permission: 'execution_schedule_create' },
      query: ['deployment_id'],
      answer: nothing,
      handle: async (call) => {
        await schedules.remove(call.tenantCaller, ...place(call));
        return noContent;
      },
    },
  ];
}
