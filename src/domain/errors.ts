/**
 * Every refusal the product can answer with. The codes and statuses are those Cloudify's clients map to exception
 * classes; `test/unit/domain` checks that the catalogue stays well formed.
 */

interface CatalogueEntry {
  readonly status: number;
}

/** error_code on the wire -> HTTP status. */
export const errorCatalogue = {
  ambiguous_name: { status: 409 },
  application_not_secured_error: { status: 401 },
  bad_parameters_error: { status: 400 },
  blueprint_in_use: { status: 405 },
  conflict_error: { status: 409 },
  constraint_error: { status: 400 },
  dependent_exists_error: { status: 400 },
  deployment_capabilities_evaluation_error: { status: 400 },
  deployment_outputs_evaluation_error: { status: 400 },
  deployment_creation_error: { status: 400 },
  deployment_environment_creation_in_progress_error: { status: 400 },
  deployment_environment_creation_pending_error: { status: 400 },
  deployment_input_evaluation_error: { status: 400 },
  deployment_modification_already_ended_error: { status: 400 },
  deployment_parent_not_found_error: { status: 404 },
  deployment_plugin_not_found: { status: 400 },
  entering_maintenance_mode: { status: 503 },
  maintenance_mode_active: { status: 503 },
  existing_running_execution_error: { status: 400 },
  existing_started_deployment_modification_error: { status: 400 },
  failed_dependency: { status: 400 },
  file_server_exception: { status: 500 },
  forbidden_error: { status: 403 },
  forbidden_while_cancelling: { status: 403 },
  functions_evaluation_error: { status: 400 },
  illegal_action_error: { status: 400 },
  illegal_execution_parameters_error: { status: 400 },
  imported_blueprint_not_found: { status: 404 },
  in_snapshot_restore_error: { status: 503 },
  insufficient_memory_error: { status: 503 },
  internal_server_error: { status: 500 },
  invalid_blueprint_error: { status: 400 },
  invalid_exception_status_update: { status: 400 },
  invalid_filter_rule: { status: 400 },
  invalid_plugin_error: { status: 400 },
  invalid_workflow_availability_rule_error: { status: 400 },
  invalid_yaml_format: { status: 400 },
  log_bundle_action_error: { status: 400 },
  manager_unavailable: { status: 503 },
  method_not_allowed_error: { status: 405 },
  missing_required_deployment_input_error: { status: 400 },
  no_space_error: { status: 507 },
  no_such_include_field_error: { status: 400 },
  nonexistent_workflow_error: { status: 400 },
  not_found_error: { status: 404 },
  not_modified: { status: 304 },
  only_deployment_update: { status: 403 },
  param_url_not_found_error: { status: 400 },
  plugin_in_use: { status: 405 },
  plugin_installation_error: { status: 400 },
  request_done_before: { status: 409 },
  plugin_installation_timeout: { status: 400 },
  plugins_update_failed: { status: 400 },
  quota_exceeded_error: { status: 403 },
  request_too_large: { status: 413 },
  snapshot_action_error: { status: 400 },
  storage_error: { status: 409 },
  too_many_requests: { status: 429 },
  unauthorized_error: { status: 401 },
  unavailable_workflow_error: { status: 400 },
  unknown_action: { status: 400 },
  unknown_deployment_input_error: { status: 400 },
  unknown_deployment_secret_error: { status: 400 },
  unknown_modification_stage_error: { status: 400 },
  unsupported_change_in_deployment_update: { status: 400 },
  unsupported_content_type_error: { status: 415 },
  upload_missing_file: { status: 400 },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

export interface GantryErrorOptions {
  /** What led to this error; kept for the log, never sent to a client. */
  readonly cause?: unknown;
  /** Further members of the error body, such as `err_filter_rule`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * An expected refusal: something the caller can act on. Its message names the thing and, where there is one, the
 * remedy. Anything else that is thrown is a defect and is answered with 500.
 */
export class GantryError extends Error {
  override readonly name = 'GantryError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: GantryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = errorCatalogue[code].status;
    this.details = options.details ?? {};
  }
}

/** The standard answer for a missing or invisible resource, e.g. ``Requested `Deployment` with ID `x` was not found``. */
export function notFound(kind: string, id: string, filters?: Readonly<Record<string, string>>): GantryError {
  const suffix = filters
    ? ` (filters: {${Object.entries(filters)
        .map(([key, value]) => `'${key}': '${value}'`)
        .join(', ')}})`
    : '';
  return new GantryError('not_found_error', `Requested \`${kind}\` with ID \`${id}\` was not found${suffix}`);
}

/** What was read, or undefined when it does not exist. @throws whatever else the reading fails with */
export async function ifFound<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof GantryError && error.code === 'not_found_error') {
      return undefined;
    }
    throw error;
  }
}

/** Turns whatever was thrown into an Error, so that `message` and `stack` can be relied on. */
export function coerceError(thrown: unknown): Error {
  if (thrown instanceof Error) {
    return thrown;
  }
  return new Error(typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown)));
}

/** Marks code that the types say cannot be reached. */
export function assertNever(value: never, what: string): never {
  throw new Error(`Unexpected ${what}: ${JSON.stringify(value)}`);
}
