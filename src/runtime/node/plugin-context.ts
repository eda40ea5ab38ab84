import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { EventLevel } from '../../domain/entities.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError } from '../sdk.ts';
import type { PluginContext, PluginEndpoint, PluginLogger, PluginOperation } from '../sdk.ts';
import type { Endpoint } from '../session/endpoint.ts';
import type { OperationSession } from '../session/operation-session.ts';
import { isTemplate, usesContext } from '../template/render.ts';
import { pluginProperties, templateContext } from '../template/template-context.ts';

/** Renders a template with variables; see `renderTemplate`. */
export type TemplateRenderer = (text: string, variables: JsonObject, signal: AbortSignal) => Promise<string>;

/** The context of a node plugin over the session of its operation. */
export class SessionPluginContext implements PluginContext {
  readonly #session: OperationSession;
  readonly #render: TemplateRenderer;

  constructor(session: OperationSession, render: TemplateRenderer) {
    this.#session = session;
    this.#render = render;
  }

  get taskName(): string {
    return this.#session.context.task_name;
  }

  get taskId(): string | undefined {
    return this.#session.context.task_id;
  }

  get executionId(): string | undefined {
    return this.#session.context.execution_id;
  }

  get workflowId(): string | undefined {
    return this.#session.context.workflow_id;
  }

  get tenantName(): string | undefined {
    return this.#session.context.tenant?.name;
  }

  get blueprintId(): string | undefined {
    return this.#session.context.blueprint_id ?? undefined;
  }

  get deploymentId(): string | undefined {
    return this.#session.context.deployment_id ?? undefined;
  }

  get inputs(): JsonObject {
    return this.#session.inputs;
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  get plugin(): { name: string; properties: JsonObject } {
    return { name: this.#session.context.plugin?.name ?? '', properties: pluginProperties(this.#session) };
  }

  get operation(): PluginOperation {
    const session = this.#session;
    const description = session.context.operation;
    return {
      name: description?.name ?? '',
      retryNumber: description?.retry_number ?? 0,
      maxRetries: description?.max_retries ?? -1,
      relationship: description?.relationship,
      retry: (options = {}) => {
        session.retryRequest = {
          message: options.message ?? `Operation '${description?.name ?? ''}' asks to be called again`,
          retryAfter: options.retryAfter,
        };
      },
    };
  }

  get logger(): PluginLogger {
    const write = (level: EventLevel) => (message: string) => {
      void this.#session.log(level, message);
    };
    return { debug: write('debug'), info: write('info'), warning: write('warning'), error: write('error') };
  }

  get node(): PluginEndpoint['node'] {
    return endpointView(this.#session.subject).node;
  }

  get instance(): PluginEndpoint['instance'] {
    return endpointView(this.#session.subject).instance;
  }

  get source(): PluginEndpoint {
    return endpointView(this.#session.source);
  }

  get target(): PluginEndpoint {
    return endpointView(this.#session.target);
  }

  getSecret(key: string): Promise<string> {
    return this.#session.getSecret(key);
  }

  getResource(path: string): Promise<Uint8Array> {
    return this.#session.readResource(path);
  }

  async getResourceAndRender(path: string, variables: JsonObject = {}): Promise<string> {
    return renderResource(this.#session, this.#render, path, variables);
  }

  async downloadResource(path: string, target?: string): Promise<string> {
    const file = await targetFile(this.#session, path, target);
    await this.#session.downloadResource(path, file);
    return file;
  }

  async downloadResourceAndRender(path: string, target?: string, variables: JsonObject = {}): Promise<string> {
    const text = await renderResource(this.#session, this.#render, path, variables);
    const file = await targetFile(this.#session, path, target);
    await writeFile(file, text);
    return file;
  }

  sendEvent(message: string): void {
    void this.#session.sendEvent(message);
  }
}

/**
 * A resource as text, rendered with `ctx` and the variables.
 * @throws NonRecoverableError when it is missing, not text or not a template, or when a variable is called `ctx`
 */
export async function renderResource(
  session: OperationSession,
  render: TemplateRenderer,
  path: string,
  variables: JsonObject,
): Promise<string> {
  if (Object.hasOwn(variables, 'ctx')) {
    throw new NonRecoverableError("'ctx' is the name of the context: a template variable must not be called so");
  }
  const text = new TextDecoder().decode(await session.readResource(path));
  if (!isTemplate(text)) {
    return text;
  }
  const ctx = usesContext(text) ? await templateContext(session) : {};
  return render(text, { ...variables, ctx }, session.signal);
}

/** Where a downloaded resource goes: the given path, or a file of the same name in a new temporary directory. */
export async function targetFile(session: OperationSession, path: string, target: string | undefined): Promise<string> {
  const file =
    target === undefined || target === ''
      ? join(await session.folder(), randomUUID().slice(0, 8), basename(path.replaceAll('\\', '/')) || 'resource')
      : resolve(await session.folder(), target);
  await mkdir(dirname(file), { recursive: true });
  return file;
}

function endpointView(endpoint: Endpoint): PluginEndpoint {
  return {
    node: {
      id: endpoint.nodeId,
      name: endpoint.nodeId,
      properties: () => endpoint.nodeProperties(),
      details: () => endpoint.node(),
    },
    instance: {
      id: endpoint.instanceId,
      runtimeProperties: () => endpoint.properties(),
      details: () => endpoint.instance(),
      update: () => endpoint.save(),
      refresh: (options = {}) => endpoint.refresh(options.force),
    },
  };
}
