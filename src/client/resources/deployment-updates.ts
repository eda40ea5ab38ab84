import { eachItem, fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { DeploymentUpdateShape, Page } from '../types.ts';

export interface UpdateDeploymentOptions {
  /** Default: the blueprint the deployment has. */
  blueprintId?: string;
  /** Put over the inputs the deployment has. */
  inputs?: Readonly<Record<string, unknown>>;
  /** Only works out what would change. */
  isPreview?: boolean;
  /** Runs beside other executions and without regard to dependents. */
  isForced?: boolean;
  /** Workflow to run instead of the built-in part. */
  workflowId?: string;
  /** Ids of node instances to reinstall in any case. */
  reinstall?: readonly string[];
  skipsInstall?: boolean;
  skipsUninstall?: boolean;
  skipsReinstall?: boolean;
  skipsDriftCheck?: boolean;
  skipsHeal?: boolean;
  forcesReinstall?: boolean;
  ignoresFailure?: boolean;
}

/** An update as requests, and parameters of executions that start updates, say it. */
export function updateOrder(options: UpdateDeploymentOptions): Record<string, unknown> {
  return {
    inputs: options.inputs ?? {},
    reinstall_list: options.reinstall ?? [],
    preview: options.isPreview === true,
    force: options.isForced === true,
    skip_install: options.skipsInstall === true,
    skip_uninstall: options.skipsUninstall === true,
    skip_reinstall: options.skipsReinstall === true,
    skip_drift_check: options.skipsDriftCheck === true,
    skip_heal: options.skipsHeal === true,
    force_reinstall: options.forcesReinstall === true,
    ignore_failure: options.ignoresFailure === true,
    ...(options.blueprintId === undefined ? {} : { blueprint_id: options.blueprintId }),
    ...(options.workflowId === undefined ? {} : { workflow_id: options.workflowId }),
  };
}

/** Calls on `/deployment-updates`. */
export class DeploymentUpdatesApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<DeploymentUpdateShape>> {
    return fetchPage(this.transport, '/deployment-updates', options);
  }

  each(options: ListOptions = {}): AsyncGenerator<DeploymentUpdateShape, void, undefined> {
    return eachItem(this.transport, '/deployment-updates', options);
  }

  get(id: string): Promise<DeploymentUpdateShape> {
    return this.transport.json('GET', `/deployment-updates/${encodeURIComponent(id)}`);
  }

  /** Starts an update; a preview is answered when it is worked out. */
  start(deploymentId: string, options: UpdateDeploymentOptions = {}): Promise<DeploymentUpdateShape> {
    return this.transport.json('POST', `/deployment-updates/${encodeURIComponent(deploymentId)}/update/initiate`, {
      body: updateOrder(options),
    });
  }
}
