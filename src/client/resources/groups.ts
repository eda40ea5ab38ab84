import { fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { DeploymentGroupShape, ExecutionGroupShape, LabelShape, Page } from '../types.ts';

/** A deployment to create in a group; what is left out comes from the group and its blueprint. */
export interface NewGroupDeployment {
  id?: string;
  display_name?: string;
  inputs?: Readonly<Record<string, unknown>>;
  labels?: readonly Readonly<Record<string, string>>[];
  site_name?: string;
}

/** Deployments that are there, named in any of these ways. */
export interface GroupMembers {
  deploymentIds?: readonly string[];
  filterId?: string;
  fromGroup?: string;
}

export interface DeploymentGroupOptions extends GroupMembers {
  description?: string;
  visibility?: 'private' | 'tenant' | 'global';
  /** Default blueprint of new deployments, and their default inputs. */
  blueprintId?: string;
  defaultInputs?: Readonly<Record<string, unknown>>;
  labels?: readonly LabelShape[];
  newDeployments?: readonly NewGroupDeployment[];
}

function membersBody({ deploymentIds, filterId, fromGroup }: GroupMembers): Record<string, unknown> {
  return { deployment_ids: deploymentIds, filter_id: filterId, deployments_from_group: fromGroup };
}

/** Calls on `/deployment-groups`. */
export class DeploymentGroupsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<DeploymentGroupShape>> {
    return fetchPage(this.transport, '/deployment-groups', options);
  }

  get(id: string): Promise<DeploymentGroupShape> {
    return this.transport.json('GET', `/deployment-groups/${encodeURIComponent(id)}`);
  }

  /** Creates a group, or changes what is given of one. */
  put(id: string, options: DeploymentGroupOptions): Promise<DeploymentGroupShape> {
    const { description, visibility, blueprintId, defaultInputs, labels, newDeployments } = options;
    return this.transport.json('PUT', `/deployment-groups/${encodeURIComponent(id)}`, {
      body: {
        description,
        visibility,
        blueprint_id: blueprintId,
        default_inputs: defaultInputs,
        labels: labels?.map(({ key, value }) => ({ [key]: value })),
        new_deployments: newDeployments,
        ...membersBody(options),
      },
    });
  }

  add(
    id: string,
    members: GroupMembers & { newDeployments?: readonly NewGroupDeployment[] },
  ): Promise<DeploymentGroupShape> {
    return this.transport.json('PATCH', `/deployment-groups/${encodeURIComponent(id)}`, {
      body: { add: { ...membersBody(members), new_deployments: members.newDeployments } },
    });
  }

  remove(id: string, members: GroupMembers): Promise<DeploymentGroupShape> {
    return this.transport.json('PATCH', `/deployment-groups/${encodeURIComponent(id)}`, {
      body: { remove: membersBody(members) },
    });
  }

  /** Deletes the group; its deployments stay unless they are deleted, too. */
  async delete(
    id: string,
    options: { withDeployments?: boolean; force?: boolean; recursive?: boolean; withLogs?: boolean } = {},
  ): Promise<{ executionGroupId: string | undefined }> {
    const answer = await this.transport.json<{ execution_group_id: string } | undefined>(
      'DELETE',
      `/deployment-groups/${encodeURIComponent(id)}`,
      {
        query: {
          delete_deployments: options.withDeployments === true,
          force: options.force === true,
          recursive: options.recursive === true,
          delete_logs: options.withLogs === true,
        },
      },
    );
    return { executionGroupId: answer?.execution_group_id };
  }
}

export interface GroupStartOptions {
  /** For every deployment. */
  parameters?: Readonly<Record<string, unknown>>;
  /** Deployment id -> parameters that win over those for all. */
  parametersOf?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  force?: boolean;
  /** Executions that may run at once; 0 = none for now. */
  concurrency?: number;
}

export type ExecutionGroupAction = 'cancel' | 'force-cancel' | 'kill' | 'resume' | 'force-resume';

/** Calls on `/execution-groups`. */
export class ExecutionGroupsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<ExecutionGroupShape>> {
    return fetchPage(this.transport, '/execution-groups', options);
  }

  get(id: string, signal?: AbortSignal): Promise<ExecutionGroupShape> {
    return this.transport.json('GET', `/execution-groups/${encodeURIComponent(id)}`, signal ? { signal } : {});
  }

  /** Starts a workflow on every deployment of a group. */
  start(deploymentGroupId: string, workflowId: string, options: GroupStartOptions = {}): Promise<ExecutionGroupShape> {
    return this.transport.json('POST', '/execution-groups', {
      body: {
        deployment_group_id: deploymentGroupId,
        workflow_id: workflowId,
        default_parameters: options.parameters,
        parameters: options.parametersOf,
        force: options.force ?? false,
        concurrency: options.concurrency,
      },
    });
  }

  act(id: string, action: ExecutionGroupAction): Promise<ExecutionGroupShape> {
    return this.transport.json('POST', `/execution-groups/${encodeURIComponent(id)}`, {
      query: { _get_data: true },
      body: { action },
    });
  }

  /** Changes how many executions run at once, and the deployment groups that collect what succeeded and failed. */
  update(
    id: string,
    change: { concurrency?: number; successGroupId?: string; failureGroupId?: string },
  ): Promise<ExecutionGroupShape> {
    return this.transport.json('PATCH', `/execution-groups/${encodeURIComponent(id)}`, {
      body: {
        concurrency: change.concurrency,
        success_group_id: change.successGroupId,
        failure_group_id: change.failureGroupId,
      },
    });
  }
}
