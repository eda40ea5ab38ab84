import { isAtBreakpoint } from '../domain/control.ts';
import type { Breakpoint, OperationDecision } from '../domain/control.ts';
import type { Execution } from '../domain/entities.ts';
import type { Topology } from '../domain/topology.ts';
import type { Task } from '../graph/task.ts';
import type { DecidedOperation, ExecutionControl } from '../store/operation-control.ts';

/** What a change of control asks of the driver of the graph that runs. */
export type ControlChange = 'nothing' | 'reconsider' | 'reload';

/** Decides which operations of one execution may start: as long as it is not paused, and where no breakpoint is. */
export class ExecutionGate {
  readonly #decisions = new Map<string, OperationDecision>();
  #isPaused = false;
  #breakpoints: readonly Breakpoint[] = [];
  #version = 0;
  #reloads = 0;

  /** The last decision that is taken into account; grows. */
  get version(): number {
    return this.#version;
  }

  /** Grows with every decision that changed a stored graph. */
  get reloads(): number {
    return this.#reloads;
  }

  /** Takes decisions into account that were made before the execution begins in this process. */
  begin(
    execution: Pick<Execution, 'status' | 'breakpoints' | 'controlVersion'>,
    decided: readonly DecidedOperation[],
  ): void {
    this.#isPaused = execution.status === 'paused';
    this.#breakpoints = execution.breakpoints;
    this.#version = execution.controlVersion;
    decided.forEach(({ id, decision }) => this.#decisions.set(id, decision));
  }

  /** Takes in what was decided since; `decided` is everything about operations, undefined when that has not changed. */
  update(control: ExecutionControl, decided: readonly DecidedOperation[] | undefined): ControlChange {
    const wasPaused = this.#isPaused;
    this.#isPaused = control.status === 'paused';
    this.#breakpoints = control.breakpoints;
    this.#version = Math.max(this.#version, control.version);
    const isChanged = decided?.map((entry) => this.#take(entry)).some((isChange) => isChange) ?? false;
    if (isChanged) {
      this.#reloads += 1;
      return 'reload';
    }
    return decided !== undefined || wasPaused !== this.#isPaused ? 'reconsider' : 'nothing';
  }

  /** @returns whether the decision changed what is stored of the graph */
  #take({ id, decision }: DecidedOperation): boolean {
    const known = this.#decisions.get(id);
    if (known?.action === decision.action && known.at === decision.at) {
      return false;
    }
    this.#decisions.set(id, decision);
    return decision.action !== 'step';
  }

  /** Whether somebody decided that an operation need not wait for its next attempt any longer. */
  isDueNow(operationId: string): boolean {
    return this.#decisions.get(operationId)?.action === 'retry';
  }

  /** Whether an operation is held back. */
  isHeld(task: Task, topology: Topology): boolean {
    if (task.action.kind !== 'remote' || this.#decisions.get(task.id)?.action === 'step') {
      return false;
    }
    return this.#isPaused || this.isAtBreakpoint(task, topology);
  }

  isAtBreakpoint(task: Task, topology: Topology): boolean {
    if (this.#breakpoints.length === 0 || task.action.kind !== 'remote') {
      return false;
    }
    const { operation, nodeId, instanceId: nodeInstanceId } = task.action.call;
    const typeHierarchy = topology.nodes.get(nodeId)?.typeHierarchy ?? [];
    return isAtBreakpoint(this.#breakpoints, { operation, nodeId, nodeInstanceId, typeHierarchy });
  }
}
