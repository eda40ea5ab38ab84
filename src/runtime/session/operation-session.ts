import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventLevel } from '../../domain/entities.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError } from '../sdk.ts';
import type { OperationContext, OperationHost, OperationRequest } from '../types.ts';
import { Endpoint } from './endpoint.ts';
import { SecretFilter } from './secret-filter.ts';

/** What a script or plugin said the operation's result is, apart from its exit code or return value. */
export type Verdict =
  | { kind: 'returned'; value: Json }
  | { kind: 'aborted'; message: string }
  | { kind: 'retry'; message: string; retryAfter: number | undefined }
  | { kind: 'contradiction' };

export interface RetryRequest {
  message: string;
  retryAfter: number | undefined;
}

export interface SessionOptions {
  temporaryDirectory: string;
  workDirectory: string | undefined;
}

/**
 * One operation while it runs: its inputs, its nodes, the secrets it has seen, what it said about its result. All
 * ways to run an operation share it. Nothing is read or made before it is needed.
 */
export class OperationSession {
  readonly context: OperationContext;
  readonly host: OperationHost;
  readonly signal: AbortSignal;
  readonly secrets = new SecretFilter();
  inputs: JsonObject;
  /** Set by `ctx.operation.retry()`: the result is dropped and the operation is tried again. */
  retryRequest: RetryRequest | undefined;
  readonly #options: SessionOptions;
  #verdict: Verdict | undefined;
  #own: Endpoint | undefined;
  #related: Endpoint | undefined;
  #folder: Promise<string> | undefined;

  constructor(request: OperationRequest, host: OperationHost, signal: AbortSignal, options: SessionOptions) {
    this.context = request.context;
    this.inputs = request.inputs;
    this.host = host;
    this.signal = signal;
    this.#options = options;
    this.secrets.add([request.context.execution_token, request.context.rest_token]);
  }

  /** `relationship-instance`, `node-instance` or `deployment`. */
  get contextType(): 'relationship-instance' | 'node-instance' | 'deployment' {
    if (this.context.related) {
      return 'relationship-instance';
    }
    return this.context.node_id ? 'node-instance' : 'deployment';
  }

  /** The node of an operation of one node. @throws NonRecoverableError in relationship and deployment operations */
  get subject(): Endpoint {
    if (this.contextType !== 'node-instance') {
      throw new NonRecoverableError(
        `ctx.node/ctx.instance can only be used in a node-instance context but used in a ${this.contextType} context.`,
      );
    }
    return this.#ownEndpoint();
  }

  /** @throws NonRecoverableError outside of relationship operations */
  get source(): Endpoint {
    return this.#relatedContext().is_target ? this.#ownEndpoint() : this.#relatedEndpoint();
  }

  /** @throws NonRecoverableError outside of relationship operations */
  get target(): Endpoint {
    return this.#relatedContext().is_target ? this.#relatedEndpoint() : this.#ownEndpoint();
  }

  /** Base of the directories plugins and scripts may keep files in, undefined when this process has none. */
  get workDirectory(): string | undefined {
    const { tenant, deployment_id } = this.context;
    const base = this.#options.workDirectory;
    if (base === undefined || tenant === undefined || !deployment_id) {
      return base;
    }
    return join(base, 'deployments', safeName(tenant.name), safeName(deployment_id));
  }

  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  /** Takes a verdict. @throws Error when there is one already; the operation then fails for good */
  decide(verdict: Verdict): void {
    if (this.#verdict !== undefined) {
      this.#verdict = { kind: 'contradiction' };
      const refusal = new Error('ctx may only abort or return once');
      refusal.name = 'RuntimeError';
      throw refusal;
    }
    this.#verdict = verdict;
  }

  /** Writes to the log of the execution, without the secrets. */
  log(level: EventLevel, message: string): void | Promise<void> {
    return this.host.log(this.context, { level, message: this.secrets.apply(message) });
  }

  sendEvent(message: string): void | Promise<void> {
    return this.host.sendEvent(this.context, this.secrets.apply(message));
  }

  async getSecret(key: string): Promise<string> {
    const value = await this.host.getSecret(this.context, key);
    this.secrets.add([value]);
    return value;
  }

  /** A resource's content. @throws NonRecoverableError when there is none of that path */
  readResource(path: string): Promise<Uint8Array> {
    return this.host.readResource(this.context, path).catch(refuseMissingResource);
  }

  /** Writes a resource to a file. @throws NonRecoverableError when there is none of that path */
  downloadResource(path: string, target: string): Promise<void> {
    return this.host.downloadResource(this.context, path, target).catch(refuseMissingResource);
  }

  /** The temporary directory of this operation, made when first asked for and removed by `close`. */
  folder(): Promise<string> {
    this.#folder ??= makeFolder(join(this.#options.temporaryDirectory, `operation-${randomUUID()}`));
    return this.#folder;
  }

  /** Saves changed runtime properties of all nodes of the operation, the source before the target. */
  async save(): Promise<void> {
    const endpoints = this.context.related ? [this.source, this.target] : [this.#own];
    for (const endpoint of endpoints) {
      await endpoint?.save();
    }
  }

  /** Removes the temporary files. */
  async close(): Promise<void> {
    if (this.#folder !== undefined) {
      const folder = await this.#folder.catch(() => undefined);
      if (folder !== undefined) {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }
    }
  }

  #ownEndpoint(): Endpoint {
    const { node_id: instanceId, node_name: nodeId } = this.context;
    if (!instanceId || !nodeId) {
      throw new NonRecoverableError('The operation has no node: its context names no node_id and node_name');
    }
    this.#own ??= new Endpoint(nodeId, instanceId, this.context, this.host, this.secrets);
    return this.#own;
  }

  #relatedContext(): NonNullable<OperationContext['related']> {
    const related = this.context.related;
    if (!related) {
      throw new NonRecoverableError(
        'ctx.source/ctx.target can only be used in a relationship-instance context but ' +
          `used in a ${this.contextType} context.`,
      );
    }
    return related;
  }

  #relatedEndpoint(): Endpoint {
    const related = this.#relatedContext();
    this.#related ??= new Endpoint(related.node_name, related.node_id, this.context, this.host, this.secrets);
    return this.#related;
  }
}

async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

function refuseMissingResource(thrown: unknown): never {
  if (thrown instanceof GantryError && thrown.code === 'not_found_error') {
    throw new NonRecoverableError(thrown.message, { cause: thrown });
  }
  throw thrown;
}

/** One path segment of a name that comes from outside. */
export function safeName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_.-]/g, (character) => `%${character.codePointAt(0)?.toString(16) ?? ''}`);
  return /^\.+$/.test(safe) ? `%${safe}` : safe;
}
