import type { WorkflowContextMessage } from '../amqp/envelopes.ts';
import { restAddress as configuredRestAddress } from '../config/addresses.ts';
import type { Config } from '../config/config.ts';
import type { Execution } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { MessageEnvironment } from '../graph/operation-message.ts';
import type { PluginReference } from '../graph/task.ts';
import type { DrivenDeployment } from '../store/driven-deployment.ts';

/** A managed plugin, as far as operation messages tell about it. */
export interface ManagedPlugin {
  packageName: string;
  packageVersion: string | undefined;
  visibility: string;
  tenantName: string;
}

export interface EnvironmentInput {
  config: Config;
  execution: Execution;
  deployment: DrivenDeployment;
  plugins: readonly ManagedPlugin[];
  /** What the sender of the workflow message knew. */
  message: WorkflowContextMessage | undefined;
  /** Clear text. */
  token: string;
}

export interface ExecutionEnvironments {
  /** For messages: with the execution's token. */
  message: MessageEnvironment;
  /** For stored rows: without. */
  stored: MessageEnvironment;
}

/** How operations reach the REST service: what the sender said, else what this process is configured with. */
function restAddress(config: Config, message: WorkflowContextMessage | undefined): JsonObject {
  if (Array.isArray(message?.['rest_host']) && typeof message['rest_port'] === 'number') {
    return { rest_host: message['rest_host'] as string[], rest_port: message['rest_port'] };
  }
  const { hosts, port } = configuredRestAddress(config);
  return { rest_host: hosts, rest_port: port };
}

/** Makes the parts of operation messages that are the same for a whole execution. */
export function executionEnvironments(input: EnvironmentInput): ExecutionEnvironments {
  const { config, execution, deployment, message, token } = input;
  const common: JsonObject = {
    execution_id: execution.id,
    workflow_id: execution.workflowId,
    workflow_parameters: execution.parameters,
    tenant: { name: execution.tenantName },
    execution_creator_username: execution.createdBy,
    bypass_maintenance: message?.['bypass_maintenance'] === true ? true : null,
    execution_env: {},
    ...restAddress(config, message),
    blueprint_id: deployment.blueprintId,
    deployment_id: deployment.id,
    deployment_display_name: deployment.displayName,
    deployment_creator: deployment.createdBy,
    deployment_resource_tags: deployment.resourceTags ?? {},
  };
  const plugin = pluginFields(input);
  return {
    stored: { common, plugin },
    message: { common: { ...common, execution_token: token, rest_token: token }, plugin },
  };
}

function pluginFields({ deployment, plugins }: EnvironmentInput): (plugin: PluginReference) => JsonObject {
  const planned = deployment.plugins;
  const known = new Map<string, JsonObject>();
  return (reference) => {
    const key = `${reference.name}\n${reference.package_name ?? ''}\n${reference.package_version ?? ''}`;
    let fields = known.get(key);
    if (!fields) {
      const managed =
        reference.package_name === null
          ? undefined
          : plugins.find(
              (entry) =>
                entry.packageName === reference.package_name &&
                (entry.packageVersion ?? null) === reference.package_version,
            );
      fields = {
        name: reference.name,
        package_name: reference.package_name,
        package_version: reference.package_version,
        source: reference.source,
        visibility: managed?.visibility ?? null,
        tenant_name: managed?.tenantName ?? null,
        properties: planned.find((entry) => entry.name === reference.name && entry.properties)?.properties ?? {},
      };
      known.set(key, fields);
    }
    return fields;
  };
}
