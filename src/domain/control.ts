import type { Json } from './plan.ts';

/** Where an execution stops before an operation; every member that is given must fit. */
export interface Breakpoint {
  /** Full name, or the last part of it: `start` fits `cloudify.interfaces.lifecycle.start`. */
  readonly operation?: string | undefined;
  readonly nodeId?: string | undefined;
  readonly nodeInstanceId?: string | undefined;
  /** Type of the node, or one it is derived from. */
  readonly type?: string | undefined;
}

/**
 * What somebody decides about an operation: another attempt, to leave it out, to take it as done, to give it other
 * inputs, to let it pass where the execution is held.
 */
export const operationActions = ['retry', 'skip', 'done', 'edit', 'step'] as const;
export type OperationAction = (typeof operationActions)[number];

/** The last thing somebody decided about an operation, stored with it. */
export interface OperationDecision {
  readonly action: OperationAction;
  /** Name of the user. */
  readonly by: string;
  /** ISO 8601. */
  readonly at: string;
  readonly reason?: string | undefined;
  /** Of `done`. */
  readonly result?: Json | undefined;
}

/** What a breakpoint looks at. */
export interface BreakpointSubject {
  readonly operation: string;
  readonly nodeId: string;
  readonly nodeInstanceId: string;
  readonly typeHierarchy: readonly string[];
}

/** Whether an execution stops before this operation. */
export function isAtBreakpoint(breakpoints: readonly Breakpoint[], subject: BreakpointSubject): boolean {
  return breakpoints.some(
    ({ operation, nodeId, nodeInstanceId, type }) =>
      (operation === undefined || subject.operation === operation || subject.operation.endsWith(`.${operation}`)) &&
      (nodeId === undefined || subject.nodeId === nodeId) &&
      (nodeInstanceId === undefined || subject.nodeInstanceId === nodeInstanceId) &&
      (type === undefined || subject.typeHierarchy.includes(type)),
  );
}
