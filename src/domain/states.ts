/**
 * The life of everything that has a status, one table per thing. A status write anywhere in the product is a
 * compare-and-set over `from`; the state diagrams in the documentation are generated from these tables.
 */

export interface Transition<State extends string> {
  readonly from: readonly State[];
  readonly event: string;
  readonly to: State;
}

export const executionStatuses = [
  'scheduled',
  'queued',
  'pending',
  'started',
  'paused',
  'cancelling',
  'force_cancelling',
  'kill_cancelling',
  'terminated',
  'failed',
  'cancelled',
] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];

export const endedExecutionStatuses: readonly ExecutionStatus[] = ['terminated', 'failed', 'cancelled'];
export const activeExecutionStatuses: readonly ExecutionStatus[] = [
  'pending',
  'started',
  'paused',
  'cancelling',
  'force_cancelling',
  'kill_cancelling',
];
export const waitingExecutionStatuses: readonly ExecutionStatus[] = ['queued', 'scheduled'];
export const cancellingExecutionStatuses: readonly ExecutionStatus[] = [
  'cancelling',
  'force_cancelling',
  'kill_cancelling',
];

export const executionTransitions: readonly Transition<ExecutionStatus>[] = [
  { from: ['scheduled'], event: 'due', to: 'queued' },
  { from: ['scheduled', 'queued'], event: 'dispatch', to: 'pending' },
  { from: ['pending'], event: 'queue', to: 'queued' },
  { from: ['pending', 'started'], event: 'start', to: 'started' },
  { from: ['started'], event: 'pause', to: 'paused' },
  { from: ['paused'], event: 'unpause', to: 'started' },
  { from: ['paused'], event: 'take over', to: 'paused' },
  { from: ['started', 'paused', 'pending'], event: 'succeed', to: 'terminated' },
  {
    from: ['scheduled', 'queued', 'pending', 'started', 'paused', 'cancelling', 'force_cancelling', 'kill_cancelling'],
    event: 'fail',
    to: 'failed',
  },
  { from: ['scheduled', 'queued', 'pending', 'started', 'paused'], event: 'cancel', to: 'cancelling' },
  {
    from: ['scheduled', 'queued', 'pending', 'started', 'paused', 'cancelling'],
    event: 'force-cancel',
    to: 'force_cancelling',
  },
  {
    from: ['scheduled', 'queued', 'pending', 'started', 'paused', 'cancelling', 'force_cancelling', 'kill_cancelling'],
    event: 'kill',
    to: 'kill_cancelling',
  },
  {
    from: ['queued', 'scheduled', 'pending', 'started', 'paused', 'cancelling', 'force_cancelling', 'kill_cancelling'],
    event: 'stopped',
    to: 'cancelled',
  },
  { from: ['failed', 'cancelled', 'started'], event: 'resume', to: 'pending' },
  { from: ['failed', 'cancelled'], event: 'queue-resume', to: 'queued' },
];

export const operationStates = [
  'pending',
  'sending',
  'sent',
  'started',
  'response-sent',
  'succeeded',
  'failed',
  'rescheduled',
] as const;
export type OperationState = (typeof operationStates)[number];

export const terminalOperationStates: readonly OperationState[] = ['succeeded', 'failed', 'rescheduled'];

export const operationTransitions: readonly Transition<OperationState>[] = [
  { from: ['pending'], event: 'send', to: 'sending' },
  { from: ['pending', 'sending'], event: 'publish', to: 'sent' },
  { from: ['pending', 'sending', 'sent', 'started'], event: 'start', to: 'started' },
  { from: ['sent', 'started'], event: 'answer', to: 'response-sent' },
  { from: ['pending', 'sending', 'sent', 'started', 'response-sent'], event: 'succeed', to: 'succeeded' },
  { from: ['pending', 'sending', 'sent', 'started', 'response-sent'], event: 'fail', to: 'failed' },
  { from: ['pending', 'sending', 'sent', 'started', 'response-sent'], event: 'reschedule', to: 'rescheduled' },
  { from: ['failed', 'rescheduled', 'started', 'sent', 'sending'], event: 'resume', to: 'pending' },
];

export const blueprintStates = [
  'pending',
  'validating',
  'uploading',
  'extracting',
  'parsing',
  'uploaded',
  'failed_uploading',
  'failed_extracting',
  'failed_parsing',
  'failed_extracting_to_file_server',
  'invalid',
] as const;
export type BlueprintState = (typeof blueprintStates)[number];

export const failedBlueprintStates: readonly BlueprintState[] = [
  'failed_uploading',
  'failed_extracting',
  'failed_parsing',
  'failed_extracting_to_file_server',
  'invalid',
];

export const blueprintTransitions: readonly Transition<BlueprintState>[] = [
  { from: ['pending'], event: 'download', to: 'uploading' },
  { from: ['pending', 'uploading', 'validating'], event: 'extract', to: 'extracting' },
  { from: ['extracting', 'validating'], event: 'parse', to: 'parsing' },
  { from: ['parsing'], event: 'publish', to: 'uploaded' },
  { from: ['pending', 'uploading'], event: 'upload failed', to: 'failed_uploading' },
  { from: ['uploading', 'extracting'], event: 'extract failed', to: 'failed_extracting' },
  { from: ['extracting', 'parsing'], event: 'parse failed', to: 'failed_parsing' },
  { from: ['extracting', 'parsing'], event: 'refused', to: 'invalid' },
  { from: ['parsing'], event: 'publish failed', to: 'failed_extracting_to_file_server' },
];

export const pluginsUpdateStates = [
  'updating',
  'executing_workflow',
  'finalizing',
  'successful',
  'failed',
  'no_changes_required',
] as const;
export type PluginsUpdateState = (typeof pluginsUpdateStates)[number];
export const activePluginsUpdateStates: readonly PluginsUpdateState[] = [
  'updating',
  'executing_workflow',
  'finalizing',
];

export const deploymentUpdateStates = [
  'updating',
  'executing_workflow',
  'finalizing',
  'successful',
  'failed',
  'preview',
] as const;
export type DeploymentUpdateState = (typeof deploymentUpdateStates)[number];

export const endedUpdateStates: readonly DeploymentUpdateState[] = ['successful', 'failed', 'preview'];

/** A failed update that is resumed goes on in the part in which it failed. */
export const deploymentUpdateTransitions: readonly Transition<DeploymentUpdateState>[] = [
  { from: ['updating'], event: 'show', to: 'preview' },
  { from: ['updating'], event: 'apply', to: 'executing_workflow' },
  { from: ['executing_workflow'], event: 'carried out', to: 'finalizing' },
  { from: ['finalizing'], event: 'succeed', to: 'successful' },
  { from: ['updating', 'executing_workflow', 'finalizing'], event: 'fail', to: 'failed' },
  { from: ['failed'], event: 'plan again', to: 'updating' },
  { from: ['failed'], event: 'go on', to: 'executing_workflow' },
  { from: ['failed'], event: 'finish', to: 'finalizing' },
];

export type InstallationStatus = 'active' | 'inactive';
export type DeploymentStatus = 'good' | 'in_progress' | 'requires_attention';
export type ModificationStatus = 'started' | 'finished' | 'rolledback';
export type Visibility = 'private' | 'tenant' | 'global';

/** The statuses from which `to` may be reached by `event`; what a compare-and-set accepts. */
export function sourcesOf<State extends string>(
  table: readonly Transition<State>[],
  event: string,
): { readonly from: readonly State[]; readonly to: State } {
  const transition = table.find((entry) => entry.event === event);
  if (!transition) {
    throw new Error(`No such transition: ${event}`);
  }
  return transition;
}

/** Whether an execution in `status` will not change any more by itself. */
export function isExecutionEnded(status: ExecutionStatus): boolean {
  return endedExecutionStatuses.includes(status);
}

/** Whether an operation in `state` has its final outcome. */
export function isOperationTerminal(state: OperationState): boolean {
  return terminalOperationStates.includes(state);
}
