import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { OperationErrorObject } from '../../../src/domain/operation-error.ts';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import { builtinPlugins } from '../../../src/runtime/node/builtins.ts';
import { makeRuntime } from '../../../src/runtime/runtime.ts';
import type {
  OperationContext,
  OperationOutcome,
  OperationRequest,
  Runtime,
  RuntimeOptions,
} from '../../../src/runtime/types.ts';

export interface TestRuntime {
  readonly runtime: Runtime;
  readonly folder: string;
  stop(): Promise<void>;
}

/** A runtime with a directory of its own. */
export async function startRuntime(options: Partial<RuntimeOptions> = {}): Promise<TestRuntime> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'gantry-runtime-')));
  const runtime = makeRuntime({
    defaultTimeoutSeconds: 60,
    temporaryDirectory: folder,
    workDirectory: join(folder, 'work'),
    builtins: builtinPlugins(),
    ...options,
  });
  return {
    runtime,
    folder,
    stop: async () => {
      await runtime.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The context of an operation of the node `web`. */
export function contextOf(taskName: string, more: Partial<OperationContext> = {}): OperationContext {
  return {
    type: 'operation',
    task_name: taskName,
    task_id: 'task-1',
    execution_id: 'execution-1',
    execution_token: 'token-of-the-execution',
    workflow_id: 'install',
    tenant: { name: 'default_tenant' },
    blueprint_id: 'blueprint-1',
    deployment_id: 'deployment-1',
    node_id: 'web_1',
    node_name: 'web',
    operation: { name: 'cloudify.interfaces.lifecycle.start', retry_number: 0, max_retries: 60 },
    plugin: { name: taskName.startsWith('script_runner') ? 'script' : 'gantry' },
    ...more,
  };
}

/** An operation of the script plugin. */
export function scriptRequest(inputs: JsonObject, more: Partial<OperationContext> = {}): OperationRequest {
  return { context: contextOf('script_runner.tasks.run', more), inputs };
}

/** The result of an operation that must have succeeded. */
export function resultOf(outcome: OperationOutcome): Json {
  expect(outcome.ok ? '' : outcome.error.message).to.equal('');
  return outcome.ok ? outcome.result : null;
}

/** The error of an operation that must have failed. */
export function errorOf(outcome: OperationOutcome): OperationErrorObject {
  if (outcome.ok) {
    throw new Error(`The operation succeeded with ${JSON.stringify(outcome.result)}`);
  }
  return outcome.error;
}

/** The same, for results that are text. */
export function textOf(outcome: OperationOutcome): string {
  const result = resultOf(outcome);
  expect(result).to.be.a('string');
  return result as string;
}
