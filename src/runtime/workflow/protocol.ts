/** What an executor and the process of a plugin's workflow tell each other. */
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { Topology } from '../../domain/topology.ts';
import type { GraphOptions, LifecycleOptions } from '../workflow-sdk.ts';
import type { ExecutionInfo, LogLevel, WorkflowConfig } from '../../workflows/context.ts';

/** Where the function of a workflow stands. */
export interface WorkflowModule {
  /** The module to load, absolute. */
  readonly entry: string;
  /** Directory of the plugin: what places in errors are relative to. */
  readonly directory: string;
  readonly pluginName: string;
  /** E.g. `rolling.restart`: an export, or a member of one. */
  readonly functionName: string;
}

export interface WorkflowStart {
  readonly module: WorkflowModule;
  readonly execution: ExecutionInfo;
  readonly parameters: JsonObject;
  readonly config: WorkflowConfig;
  readonly topology: Topology;
  /** Whether somebody asked to resume it, which the function must allow. */
  readonly mustBeResumable: boolean;
}

/** What the function may ask for, by name, with its arguments and what is answered. */
export interface WorkflowCalls {
  refresh: { args: readonly []; answer: Topology };
  hasStoredGraph: { args: readonly [name: string]; answer: boolean };
  /** A part of the rows of a graph, as JSON; the parts of a graph come before `runGraph`. */
  addRows: { args: readonly [name: string, rows: string]; answer: undefined };
  runGraph: { args: readonly [name: string, options: GraphOptions]; answer: undefined };
  lifecycle: {
    args: readonly [
      kind: 'install' | 'uninstall' | 'reinstall',
      name: string,
      instanceIds: readonly string[],
      options: LifecycleOptions,
    ];
    answer: undefined;
  };
}

export type WorkflowCallName = keyof WorkflowCalls;

export type ToWorkflow =
  | ({ readonly type: 'run' } & WorkflowStart)
  /** Sent once the execution is cancelled, and again to see whether the process is alive. */
  | { readonly type: 'abort' }
  | { readonly type: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly type: 'refusal'; readonly call: number; readonly name: string; readonly message: string };

export type FromWorkflow =
  | { readonly type: 'ready' }
  /** The function has been loaded and called. */
  | { readonly type: 'called' }
  /** The abort has arrived: the process is alive. */
  | { readonly type: 'aborting' }
  | { readonly type: 'call'; readonly call: number; readonly name: WorkflowCallName; readonly args: readonly unknown[] }
  | { readonly type: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly type: 'event'; readonly message: string }
  | { readonly type: 'done'; readonly result: Json }
  | {
      readonly type: 'failed';
      readonly name: string;
      readonly message: string;
      /** `file:line:column` in the plugin where the error was thrown, where that is known. */
      readonly place: string | undefined;
      /** Whether the engine threw it and the function let it pass. */
      readonly isEngines: boolean;
    };
