import { eachItem, fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type { EventShape, ExecutionShape, Page } from '../types.ts';

export interface StartOptions {
  parameters?: Readonly<Record<string, unknown>>;
  allowCustomParameters?: boolean;
  force?: boolean;
  dryRun?: boolean;
  /** Wait behind a running execution of the same deployment instead of being refused. */
  queue?: boolean;
  /** Seconds that running operations get to end after one has failed. */
  waitAfterFail?: number;
}

export type ExecutionAction = 'cancel' | 'force-cancel' | 'kill' | 'resume' | 'force-resume';

/** Calls on `/executions` and `/events`. */
export class ExecutionsApi {
  private readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  list(options: ListOptions = {}): Promise<Page<ExecutionShape>> {
    return fetchPage(this.transport, '/executions', options);
  }

  each(options: ListOptions = {}): AsyncGenerator<ExecutionShape, void, undefined> {
    return eachItem(this.transport, '/executions', options);
  }

  get(id: string, signal?: AbortSignal): Promise<ExecutionShape> {
    return this.transport.json('GET', `/executions/${encodeURIComponent(id)}`, signal ? { signal } : {});
  }

  start(deploymentId: string, workflowId: string, options: StartOptions = {}): Promise<ExecutionShape> {
    return this.transport.json('POST', '/executions', {
      body: {
        deployment_id: deploymentId,
        workflow_id: workflowId,
        parameters: options.parameters ?? {},
        allow_custom_parameters: options.allowCustomParameters === true,
        force: options.force === true,
        dry_run: options.dryRun === true,
        queue: options.queue === true,
        ...(options.waitAfterFail === undefined ? {} : { wait_after_fail: options.waitAfterFail }),
      },
    });
  }

  act(id: string, action: ExecutionAction): Promise<ExecutionShape> {
    return this.transport.json('POST', `/executions/${encodeURIComponent(id)}`, { body: { action } });
  }

  /** Events and logs, oldest first unless `sort` says otherwise. */
  events(options: ListOptions & { withLogs?: boolean } = {}): Promise<Page<EventShape>> {
    const { withLogs = true, ...rest } = options;
    return fetchPage(this.transport, '/events', {
      sort: ['reported_timestamp'],
      ...rest,
      filters: { type: withLogs ? ['cloudify_event', 'cloudify_log'] : ['cloudify_event'], ...rest.filters },
    });
  }
}
