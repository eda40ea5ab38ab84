import { eachItem, fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { DeploymentShape, LabelShape, NodeInstanceShape, NodeShape, Page, WorkflowShape } from '../types.ts';

export interface CreateDeploymentOptions {
  inputs?: Readonly<Record<string, unknown>>;
  displayName?: string;
  labels?: readonly LabelShape[];
  visibility?: 'private' | 'tenant' | 'global';
  siteName?: string;
  skipPluginsValidation?: boolean;
  runtimeOnlyEvaluation?: boolean;
  /** Answer at once; the environment is created in the background. */
  isAsync?: boolean;
}

/** Calls on `/deployments` and what belongs to one deployment. */
export class DeploymentsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<DeploymentShape>> {
    return fetchPage(this.transport, '/deployments', options);
  }

  each(options: ListOptions = {}): AsyncGenerator<DeploymentShape, void, undefined> {
    return eachItem(this.transport, '/deployments', options);
  }

  get(id: string, include?: readonly string[]): Promise<DeploymentShape> {
    const query = include ? { _include: include.join(',') } : {};
    return this.transport.json('GET', `/deployments/${encodeURIComponent(id)}`, { query });
  }

  create(id: string, blueprintId: string, options: CreateDeploymentOptions = {}): Promise<DeploymentShape> {
    return this.transport.json('PUT', `/deployments/${encodeURIComponent(id)}`, {
      query: { async_create: options.isAsync === true },
      body: {
        blueprint_id: blueprintId,
        inputs: options.inputs ?? {},
        visibility: options.visibility ?? 'tenant',
        skip_plugins_validation: options.skipPluginsValidation ?? false,
        runtime_only_evaluation: options.runtimeOnlyEvaluation ?? false,
        ...(options.displayName === undefined ? {} : { display_name: options.displayName }),
        ...(options.labels === undefined ? {} : { labels: labelObjects(options.labels) }),
        ...(options.siteName === undefined ? {} : { site_name: options.siteName }),
      },
    });
  }

  /** Replaces all labels. */
  updateLabels(id: string, labels: readonly LabelShape[]): Promise<DeploymentShape> {
    return this.transport.json('PATCH', `/deployments/${encodeURIComponent(id)}`, {
      body: { labels: labelObjects(labels) },
    });
  }

  /** Starts the deletion; the deployment disappears when its delete execution ends. */
  delete(id: string, options: { force?: boolean; recursive?: boolean; withLogs?: boolean } = {}): Promise<void> {
    return this.transport.json('DELETE', `/deployments/${encodeURIComponent(id)}`, {
      query: {
        force: options.force === true,
        ...(options.recursive === true ? { recursive: true } : {}),
        ...(options.withLogs === true ? { delete_logs: true } : {}),
      },
    });
  }

  async outputs(id: string): Promise<Record<string, unknown>> {
    const answer = await this.transport.json<{ outputs: Record<string, unknown> }>(
      'GET',
      `/deployments/${encodeURIComponent(id)}/outputs`,
    );
    return answer.outputs;
  }

  async capabilities(id: string): Promise<Record<string, unknown>> {
    const answer = await this.transport.json<{ capabilities: Record<string, unknown> }>(
      'GET',
      `/deployments/${encodeURIComponent(id)}/capabilities`,
    );
    return answer.capabilities;
  }

  async workflows(id: string): Promise<WorkflowShape[]> {
    return (await this.get(id)).workflows ?? [];
  }

  nodes(options: ListOptions = {}): Promise<Page<NodeShape>> {
    return fetchPage(this.transport, '/nodes', options);
  }

  eachNode(options: ListOptions = {}): AsyncGenerator<NodeShape, void, undefined> {
    return eachItem(this.transport, '/nodes', options);
  }

  nodeInstances(options: ListOptions = {}): Promise<Page<NodeInstanceShape>> {
    return fetchPage(this.transport, '/node-instances', options);
  }

  eachNodeInstance(options: ListOptions = {}): AsyncGenerator<NodeInstanceShape, void, undefined> {
    return eachItem(this.transport, '/node-instances', options);
  }

  nodeInstance(id: string): Promise<NodeInstanceShape> {
    return this.transport.json('GET', `/node-instances/${encodeURIComponent(id)}`);
  }
}

function labelObjects(labels: readonly LabelShape[]): Record<string, string>[] {
  return labels.map(({ key, value }) => ({ [key]: value }));
}
