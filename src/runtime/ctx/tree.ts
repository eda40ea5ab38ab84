import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { EventLevel } from '../../domain/entities.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonText } from '../../domain/python-text.ts';
import { renderResource, targetFile } from '../node/plugin-context.ts';
import type { TemplateRenderer } from '../node/plugin-context.ts';
import type { OperationSession } from '../session/operation-session.ts';
import { isJsonObject } from '../session/paths.ts';
import { pluginProperties } from '../template/template-context.ts';
import type { ManagerQuestion } from '../types.ts';
import { endpointObjects } from './endpoint-tree.ts';
import { CtxError, CtxFunction, CtxObject, ReadOnlyMapping } from './values.ts';
import type { CtxValue } from './values.ts';

/** A call a script made that ends it: the client exits with the message. */
export class StopOperation extends Error {
  override readonly name = 'StopOperation';
}

type Attributes = Record<string, () => CtxValue | Promise<CtxValue>>;

/**
 * Everything the `ctx` of a script offers, by name.
 * Compatibility: the attributes of Cloudify's operation context that have a JSON form, and `get-secret`.
 */
export function ctxTree(session: OperationSession, render: TemplateRenderer): CtxObject {
  return new CtxObject('CloudifyContext', {
    ...contextAttributes(session),
    ...endpointAttributes(session),
    ...operationAttributes(session),
    ...resourceAttributes(session, render),
    ...managerAttributes(session),
  });
}

function contextAttributes(session: OperationSession): Attributes {
  const { context } = session;
  const field = (name: string) => () => (context[name] as Json | undefined) ?? null;
  const mapping = (name: string) => () => {
    const value = context[name];
    return isJsonObject(value) ? new ReadOnlyMapping(value) : null;
  };
  const fields = [
    ...['task_id', 'task_name', 'task_queue', 'task_target', 'workflow_id', 'execution_id', 'rest_token'],
    ...['execution_token', 'rest_host', 'rest_port', 'rest_ssl_cert', 'bypass_maintenance', 'local'],
    ...['execution_creator_username', 'resume', 'timeout', 'timeout_recoverable'],
  ];
  return {
    ...Object.fromEntries(fields.map((name) => [name, field(name)])),
    type: () => session.contextType,
    task_type: field('type'),
    tenant_name: () => context.tenant?.name ?? null,
    workflow_parameters: mapping('workflow_parameters'),
    execution_env: mapping('execution_env'),
    blueprint: () => new CtxObject('BlueprintContext', { id: () => context.blueprint_id ?? null }),
    deployment: () =>
      new CtxObject('DeploymentContext', {
        id: () => context.deployment_id ?? null,
        display_name: () => context.deployment_display_name ?? null,
        creator: () => context.deployment_creator ?? null,
        tenant_name: () => context.tenant?.name ?? null,
        resource_tags: mapping('deployment_resource_tags'),
        runtime_only_evaluation: () => context.runtime_only_evaluation ?? null,
      }),
    plugin: () =>
      new CtxObject('PluginContext', {
        name: () => context.plugin?.name ?? null,
        package_name: () => context.plugin?.package_name ?? null,
        package_version: () => context.plugin?.package_version ?? null,
        prefix: () => null,
        workdir: () => {
          const base = session.workDirectory;
          return base === undefined ? null : join(base, 'plugins', context.plugin?.name ?? 'script');
        },
        properties: () => new ReadOnlyMapping(pluginProperties(session)),
      }),
  };
}

function endpointAttributes(session: OperationSession): Attributes {
  return {
    node: () => endpointObjects(session, session.subject).node,
    instance: () => endpointObjects(session, session.subject).instance,
    source: () => new CtxObject('RelationshipSubjectContext', relationshipAttributes(session, 'source')),
    target: () => new CtxObject('RelationshipSubjectContext', relationshipAttributes(session, 'target')),
  };
}

function relationshipAttributes(session: OperationSession, side: 'source' | 'target'): Attributes {
  const { node, instance } = endpointObjects(session, session[side]);
  return { node: () => node, instance: () => instance };
}

function operationAttributes(session: OperationSession): Attributes {
  const description = session.context.operation;
  const name = description?.name ?? session.context.task_name;
  return {
    operation: () =>
      new CtxObject('OperationContext', {
        name: () => description?.name ?? null,
        retry_number: () => description?.retry_number ?? null,
        max_retries: () => description?.max_retries ?? null,
        relationship: () => description?.relationship ?? null,
        retry: () =>
          new CtxFunction(([message, retryAfter], named) => {
            session.retryRequest = {
              message: textOf(message ?? named['message'], `Operation '${name}' asks to be called again`),
              retryAfter: secondsOf(retryAfter ?? named['retry_after']),
            };
            return null;
          }),
      }),
    returns: () =>
      new CtxFunction(([value], named) => {
        // a trailing object gives named arguments; alone it is taken for the value that it looks like
        const result = value === undefined && Object.keys(named).length > 0 ? named : value;
        if (result === undefined) {
          throw new CtxError("returns() missing 1 required positional argument: 'value'", 'TypeError');
        }
        if (result !== null) {
          session.decide({ kind: 'returned', value: result });
        }
        return null;
      }),
    abort_operation: () =>
      new CtxFunction(([message], named) => {
        const text = textOf(message ?? named['message'], `Operation '${name}' was aborted by its script`);
        session.decide({ kind: 'aborted', message: text });
        throw new StopOperation(text);
      }),
    retry_operation: () =>
      new CtxFunction(([message, retryAfter], named) => {
        const text = textOf(message ?? named['message'], `Operation '${name}' asks to be called again`);
        session.decide({ kind: 'retry', message: text, retryAfter: secondsOf(retryAfter ?? named['retry_after']) });
        throw new StopOperation(text);
      }),
    logger: () => new CtxObject('Logger', loggerAttributes(session)),
    send_event: () =>
      new CtxFunction(async ([message], named) => {
        await session.sendEvent(textOf(message ?? named['event'], ''));
        return null;
      }),
  };
}

function loggerAttributes(session: OperationSession): Attributes {
  const write = (level: EventLevel) => () =>
    new CtxFunction(async ([message], named) => {
      await session.log(level, textOf(message ?? named['msg'], ''));
      return null;
    });
  const levels = { debug: 'debug', info: 'info', warning: 'warning', warn: 'warning', error: 'error' } as const;
  return {
    ...Object.fromEntries(Object.entries(levels).map(([name, level]) => [name, write(level)])),
    critical: write('critical'),
    exception: write('error'),
  };
}

function resourceAttributes(session: OperationSession, render: TemplateRenderer): Attributes {
  const pathOf = (value: Json | undefined): string => {
    if (typeof value !== 'string' || value === '') {
      throw new CtxError('The path of a resource is missing', 'TypeError');
    }
    return value;
  };
  const variablesOf = (named: JsonObject): JsonObject =>
    isJsonObject(named['template_variables']) ? named['template_variables'] : {};
  const targetOf = (value: Json | undefined, directory: string | undefined): string | undefined =>
    typeof value === 'string' && value !== '' ? resolve(directory ?? '/', value) : undefined;
  return {
    download_resource: () =>
      new CtxFunction(async ([path, target], named, caller) => {
        const resource = pathOf(path ?? named['resource_path']);
        const file = await targetFile(session, resource, targetOf(target ?? named['target_path'], caller.directory));
        await session.downloadResource(resource, file);
        await session.log('info', `Downloaded ${resource} to ${file}`);
        return file;
      }),
    download_resource_and_render: () =>
      new CtxFunction(async ([path, target], named, caller) => {
        const resource = pathOf(path ?? named['resource_path']);
        const text = await renderResource(session, render, resource, variablesOf(named));
        const file = await targetFile(session, resource, targetOf(target ?? named['target_path'], caller.directory));
        await writeFile(file, text);
        await session.log('info', `Downloaded ${resource} to ${file}`);
        return file;
      }),
    get_resource: () =>
      new CtxFunction(async ([path], named) => {
        const content = await session.readResource(pathOf(path ?? named['resource_path']));
        return new TextDecoder().decode(content);
      }),
    get_resource_and_render: () =>
      new CtxFunction(([path], named) =>
        renderResource(session, render, pathOf(path ?? named['resource_path']), variablesOf(named)),
      ),
    upload_deployment_file: () =>
      new CtxFunction(async ([target, local], named, caller) => {
        const file = targetOf(local ?? named['src_file'], caller.directory);
        const content = await readFile(pathOf(file));
        await session.host.writeDeploymentFile(session.context, pathOf(target ?? named['target_file_path']), content);
        return null;
      }),
    delete_deployment_file: () =>
      new CtxFunction(async ([path], named) => {
        await session.host.deleteDeploymentFile(session.context, pathOf(path ?? named['file_path']));
        return null;
      }),
    local_deployment_workdir: () => new CtxFunction(() => session.workDirectory ?? null),
  };
}

function managerAttributes(session: OperationSession): Attributes {
  const ask = async (question: ManagerQuestion): Promise<CtxValue> => {
    const answer = await session.host.ask(session.context, question);
    return isJsonObject(answer) ? new ReadOnlyMapping(answer) : answer;
  };
  const text = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    get_secret: () => new CtxFunction(([key], named) => session.getSecret(textOf(key ?? named['key'], ''))),
    tenant: () => ask({ kind: 'tenant' }),
    provider_context: () => ask({ kind: 'provider-context' }),
    get_execution: () => new CtxFunction(() => ask({ kind: 'execution' })),
    get_operation: () => new CtxFunction(() => ask({ kind: 'operation' })),
    get_config: () =>
      new CtxFunction(([name, scope], named) => {
        const [configName, configScope] = [text(name ?? named['name']), text(scope ?? named['scope'])];
        return ask({
          kind: 'config',
          ...(configName === undefined ? {} : { name: configName }),
          ...(configScope === undefined ? {} : { scope: configScope }),
        });
      }),
    get_managers: () => new CtxFunction(([network]) => ask({ kind: 'managers', ...networkOf(network) })),
    get_brokers: () => new CtxFunction(([network]) => ask({ kind: 'brokers', ...networkOf(network) })),
  };
}

function networkOf(value: Json | undefined): { network?: string } {
  return typeof value === 'string' ? { network: value } : {};
}

function textOf(value: Json | undefined, fallback: string): string {
  return value === undefined || value === null ? fallback : pythonText(value);
}

/** Scripts give seconds as text. */
function secondsOf(value: Json | undefined): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
