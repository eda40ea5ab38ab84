import type { BuiltinPlugins } from '../types.ts';
import { waitingPlugin } from '../waits.ts';
import { createSecrets, removeBlueprint, uploadBlueprint } from './blueprint.ts';
import { createComponent, deleteComponent, executeStart, refresh, updateComponent } from './component.ts';
import { checkDrift, checkStatus, heal } from './component-checks.ts';
import type { ExtensionsHost } from './manager.ts';
import { extensionOperation } from './operation.ts';
import type { ExtensionCall } from './operation.ts';
import { createPassword, deletePassword, validatePassword } from './password-secret.ts';
import {
  checkSharedDrift,
  checkSharedStatus,
  connect,
  disconnect,
  executeWorkflow,
  refreshShared,
} from './shared-resource.ts';

/**
 * The plugin behind the built-in types Component, SharedResource, Blueprint and PasswordSecret.
 *
 * Compatibility: names of functions, inputs and runtime properties are those of Cloudify 7.
 */
export function extensionsPlugin(host: ExtensionsHost): BuiltinPlugins {
  const operations: Readonly<Record<string, Parameters<typeof extensionOperation>[2]>> = {
    'component.upload_blueprint': uploadBlueprint,
    'component.create': createComponent,
    'component.execute_start': executeStart,
    'component.delete': deleteComponent,
    'component.refresh': refresh,
    'component.check_status': checkStatus,
    'component.check_drift': checkDrift,
    'component.heal': heal,
    'component.update': updateComponent,
    'shared_resource.connect_deployment': connect,
    'shared_resource.disconnect_deployment': disconnect,
    'shared_resource.refresh': refreshShared,
    'shared_resource.check_status': checkSharedStatus,
    'shared_resource.check_drift': checkSharedDrift,
    'blueprint.upload': uploadWithSecrets,
    'blueprint.delete': removeBlueprint,
    'password_secret.create': createPassword,
    'password_secret.delete': deletePassword,
    'password_secret.creation_validation': validatePassword,
  };
  const functions = Object.entries(operations).map(([name, work]) => {
    const shown = name.slice(name.indexOf('.') + 1);
    return [`cloudify_types.${name}`, extensionOperation(host, shown, work)] as const;
  });
  return new Map([
    [
      waitingPlugin,
      new Map([...functions, ['cloudify_types.shared_resource.execute_workflow', executeWorkflow(host)]]),
    ],
  ]);
}

async function uploadWithSecrets(call: ExtensionCall): Promise<void> {
  await createSecrets(call);
  await uploadBlueprint(call);
}
