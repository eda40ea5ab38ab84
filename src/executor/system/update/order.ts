import { Ajv } from 'ajv';
import { GantryError } from '../../../domain/errors.ts';
import type { Json, JsonObject } from '../../../domain/plan.ts';
import { asObject, textsOf } from './documents.ts';

/** Choices that are switched on or off; all of them stand among the parameters of the execution. */
export const updateSwitches = {
  skip_install: false,
  skip_uninstall: false,
  skip_reinstall: false,
  skip_drift_check: false,
  skip_heal: false,
  force_reinstall: false,
  ignore_failure: false,
  install_first: false,
  update_plugins: true,
  auto_correct_types: false,
  reevaluate_active_statuses: false,
} as const;
export type UpdateSwitches = Readonly<Record<keyof typeof updateSwitches, boolean>>;

/** An update as it is asked for. */
export interface UpdateOrder {
  /** Undefined = as it is now. */
  readonly blueprintId: string | undefined;
  readonly inputs: JsonObject;
  readonly reinstallIds: readonly string[];
  /** Workflow to run in place of the built-in part. */
  readonly workflowId: string | undefined;
  /** Undefined = as it is now. */
  readonly runtimeOnlyEvaluation: boolean | undefined;
  readonly isPreview: boolean;
  /** Runs beside other executions and without regard to dependents. */
  readonly isForced: boolean;
  readonly switches: UpdateSwitches;
}

/** Clients send booleans also as text. */
const flag = { anyOf: [{ type: 'boolean' }, { enum: ['true', 'false', 'True', 'False'] }] };

/** What an order looks like in requests and parameters. */
export const orderSchema = {
  type: 'object',
  properties: {
    blueprint_id: { type: ['string', 'null'] },
    inputs: { type: 'object' },
    reinstall_list: { type: 'array', items: { type: 'string' } },
    workflow_id: { type: ['string', 'null'] },
    runtime_only_evaluation: { type: ['boolean', 'null'] },
    preview: flag,
    force: flag,
    ...Object.fromEntries(Object.keys(updateSwitches).map((name) => [name, flag])),
  },
};

const validate = new Ajv({ allowUnionTypes: true }).compile(orderSchema);

/** Reads an order that meets the schema. */
export function readOrder(body: JsonObject): UpdateOrder {
  const switches = Object.entries(updateSwitches).map(([name, otherwise]) => [name, isOn(body[name], otherwise)]);
  const evaluation = body['runtime_only_evaluation'];
  return {
    blueprintId: textOf(body['blueprint_id']),
    inputs: asObject(body['inputs']),
    reinstallIds: textsOf(body['reinstall_list']),
    workflowId: textOf(body['workflow_id']),
    runtimeOnlyEvaluation: typeof evaluation === 'boolean' ? evaluation : undefined,
    isPreview: isOn(body['preview'], false),
    isForced: isOn(body['force'], false),
    switches: Object.fromEntries(switches) as UpdateSwitches,
  };
}

/**
 * Reads the order among the parameters of an execution. Clients send null for what was not said.
 * @throws GantryError bad_parameters_error naming the parameter that is wrong
 */
export function readOrderParameters(parameters: JsonObject): UpdateOrder {
  const said = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== null));
  if (!validate(said)) {
    const [first] = validate.errors ?? [];
    const name = first?.instancePath.split('/')[1] ?? '';
    throw new GantryError(
      'bad_parameters_error',
      `Parameter \`${name}\` of the update ${first?.message ?? 'is wrong'}`,
    );
  }
  return readOrder(said);
}

function isOn(value: Json | undefined, otherwise: boolean): boolean {
  return value === undefined ? otherwise : value === true || value === 'true' || value === 'True';
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
