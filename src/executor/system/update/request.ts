import type { Execution } from '../../../domain/entities.ts';
import type { JsonObject } from '../../../domain/plan.ts';
import type { UpdateChoices } from '../../../workflows/update.ts';
import { asObject, textsOf } from './documents.ts';

/** What the execution of an update was asked to do. */
export interface UpdateRequest extends UpdateChoices {
  readonly updateId: string;
  readonly inputs: JsonObject;
  /** Workflow to run in place of the built-in part. */
  readonly workflowId: string | undefined;
}

/** Reads the parameters of an execution of `update`. */
export function readRequest({ parameters }: Pick<Execution, 'parameters'>): UpdateRequest {
  const text = (name: string): string | undefined => {
    const value = parameters[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const isSet = (name: string): boolean => parameters[name] === true;
  return {
    updateId: text('update_id') ?? '',
    inputs: asObject(parameters['inputs']),
    workflowId: text('workflow_id'),
    reinstallIds: textsOf(parameters['reinstall_list']),
    isFailureIgnored: isSet('ignore_failure'),
    skipsInstall: isSet('skip_install'),
    skipsUninstall: isSet('skip_uninstall'),
    skipsReinstall: isSet('skip_reinstall'),
    skipsDriftCheck: isSet('skip_drift_check'),
    skipsHeal: isSet('skip_heal'),
    forcesReinstall: isSet('force_reinstall'),
  };
}
