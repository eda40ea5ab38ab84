import { eachItem, fetchPage } from '../pages.ts';
import type { ListOptions } from '../pages.ts';
import type { Transport } from '../transport.ts';
import type {
  BreakpointShape,
  EventShape,
  ExecutionPlanShape,
  ExecutionShape,
  OperationShape,
  Page,
} from '../types.ts';

export interface StartOptions {
  parameters?: Readonly<Record<string, unknown>>;
  allowCustomParameters?: boolean;
  force?: boolean;
  dryRun?: boolean;
  /** Wait behind a running execution of the same deployment instead of being refused. */
  queue?: boolean;
  /** Seconds that running operations get to end after one has failed. */
  waitAfterFail?: number;
  breakpoints?: readonly BreakpointShape[];
}

export type ExecutionAction = 'cancel' | 'force-cancel' | 'kill' | 'resume' | 'force-resume' | 'pause' | 'unpause';

export interface OperationDecision {
  action: 'retry' | 'skip' | 'done' | 'edit' | 'step';
  inputs?: Readonly<Record<string, unknown>>;
  result?: unknown;
  reason?: string;
  /** Whether an execution that has ended goes on; default true. */
  resume?: boolean;
}

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
        ...(options.breakpoints === undefined ? {} : { breakpoints: options.breakpoints }),
      },
    });
  }

  act(id: string, action: ExecutionAction): Promise<ExecutionShape> {
    return this.transport.json('POST', `/executions/${encodeURIComponent(id)}`, { body: { action } });
  }

  /** What a workflow would do, without running it. */
  plan(
    deploymentId: string,
    workflowId: string,
    options: Pick<StartOptions, 'parameters' | 'allowCustomParameters'> = {},
  ): Promise<ExecutionPlanShape> {
    return this.transport.json('POST', '/executions/plan', {
      body: {
        deployment_id: deploymentId,
        workflow_id: workflowId,
        parameters: options.parameters ?? {},
        allow_custom_parameters: options.allowCustomParameters === true,
      },
    });
  }

  /** Replaces the breakpoints. */
  async setBreakpoints(id: string, breakpoints: readonly BreakpointShape[]): Promise<readonly BreakpointShape[]> {
    const path = `/executions/${encodeURIComponent(id)}/breakpoints`;
    const answer = await this.transport.json<{ items: BreakpointShape[] }>('PUT', path, { body: { breakpoints } });
    return answer.items;
  }

  async breakpoints(id: string): Promise<readonly BreakpointShape[]> {
    const path = `/executions/${encodeURIComponent(id)}/breakpoints`;
    return (await this.transport.json<{ items: BreakpointShape[] }>('GET', path)).items;
  }

  /** Lets everything through that is held back now. */
  step(id: string): Promise<ExecutionShape & { released_operations: number }> {
    return this.transport.json('POST', `/executions/${encodeURIComponent(id)}/step`);
  }

  /** Every attempt of every operation, in the order of the graphs. */
  operations(id: string, options: ListOptions = {}): Promise<Page<OperationShape>> {
    return fetchPage(this.transport, `/executions/${encodeURIComponent(id)}/operations`, options);
  }

  decide(id: string, operationId: string, decision: OperationDecision): Promise<OperationShape> {
    const path = `/executions/${encodeURIComponent(id)}/operations/${encodeURIComponent(operationId)}`;
    return this.transport.json('POST', path, { body: decision });
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
