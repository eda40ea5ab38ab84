import type { SystemWorkflows } from '../system-workflow.ts';
import { createDeploymentEnvironment } from './create-deployment.ts';
import { createLogBundle } from './create-log-bundle.ts';
import { createSnapshot } from './create-snapshot.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import { deleteDeploymentEnvironment } from './delete-deployment.ts';
import type { SystemDependencies } from './dependencies.ts';
import { orderUpdate } from './update/order-update.ts';
import { updatePlugins } from './plugins-update/update-plugins.ts';
import { updateDeployment } from './update/update-deployment.ts';
import { uploadBlueprint } from './upload-blueprint.ts';

/** The workflows the product brings for itself, by workflow id. */
export function makeSystemWorkflows(dependencies: SystemDependencies): SystemWorkflows {
  return new Map([
    ['upload_blueprint', uploadBlueprint(dependencies)],
    ['create_deployment_environment', createDeploymentEnvironment(dependencies)],
    ['delete_deployment_environment', deleteDeploymentEnvironment(dependencies)],
    ['update', updateDeployment(dependencies)],
    ['csys_new_deployment_update', updateDeployment(dependencies)],
    ['csys_update_deployment', orderUpdate],
    ['update_plugin', updatePlugins(dependencies)],
    ['create_snapshot', createSnapshot(dependencies)],
    ['restore_snapshot', restoreSnapshot(dependencies)],
    ['create_log_bundle', createLogBundle(dependencies)],
  ]);
}
