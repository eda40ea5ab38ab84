/** Full names of the operations the built-in workflows call. */
const lifecycle = 'cloudify.interfaces.lifecycle';
const validation = 'cloudify.interfaces.validation';
const relationship = 'cloudify.interfaces.relationship_lifecycle';
const agent = 'cloudify.interfaces.cloudify_agent';
const monitoring = 'cloudify.interfaces.monitoring';
const monitoringAgent = 'cloudify.interfaces.monitoring_agent';
const workerInstaller = 'cloudify.interfaces.worker_installer';

export const operationNames = {
  validateCreate: `${validation}.create`,
  validateDelete: `${validation}.delete`,
  checkStatus: `${validation}.check_status`,
  precreate: `${lifecycle}.precreate`,
  create: `${lifecycle}.create`,
  configure: `${lifecycle}.configure`,
  start: `${lifecycle}.start`,
  poststart: `${lifecycle}.poststart`,
  prestop: `${lifecycle}.prestop`,
  stop: `${lifecycle}.stop`,
  delete: `${lifecycle}.delete`,
  postdelete: `${lifecycle}.postdelete`,
  pull: `${lifecycle}.pull`,
  preheal: `${lifecycle}.preheal`,
  heal: `${lifecycle}.heal`,
  postheal: `${lifecycle}.postheal`,
  preupdate: `${lifecycle}.preupdate`,
  update: `${lifecycle}.update`,
  postupdate: `${lifecycle}.postupdate`,
  updateConfig: `${lifecycle}.update_config`,
  updateApply: `${lifecycle}.update_apply`,
  updatePostapply: `${lifecycle}.update_postapply`,
  checkDrift: `${lifecycle}.check_drift`,
  preconfigureRelationship: `${relationship}.preconfigure`,
  postconfigureRelationship: `${relationship}.postconfigure`,
  establish: `${relationship}.establish`,
  unlink: `${relationship}.unlink`,
  updateRelationship: `${relationship}.update`,
  checkRelationshipDrift: `${relationship}.check_drift`,
  monitoringStart: `${monitoring}.start`,
  monitoringStop: `${monitoring}.stop`,
  monitoringAgentInstall: `${monitoringAgent}.install`,
  monitoringAgentStart: `${monitoringAgent}.start`,
  monitoringAgentStop: `${monitoringAgent}.stop`,
  monitoringAgentUninstall: `${monitoringAgent}.uninstall`,
  hostGetState: 'cloudify.interfaces.host.get_state',
  agentCreate: `${agent}.create`,
  agentStart: `${agent}.start`,
  agentStop: `${agent}.stop`,
  agentStopAmqp: `${agent}.stop_amqp`,
  agentDelete: `${agent}.delete`,
  agentCreateAmqp: `${agent}.create_amqp`,
  agentUninstallPlugins: `${agent}.uninstall_plugins`,
  agentValidateAmqp: `${agent}.validate_amqp`,
  workerInstall: `${workerInstaller}.install`,
  workerStart: `${workerInstaller}.start`,
  workerStop: `${workerInstaller}.stop`,
  workerUninstall: `${workerInstaller}.uninstall`,
} as const;

/** Names of handlers as they are stored with tasks; Python workflows know the same functions. */
export const handlerPaths = {
  subgraphOnFailure: 'cloudify.plugins.lifecycle._SubgraphOnFailure',
  ignoreWithEvent: 'cloudify.plugins.lifecycle._SendNodeEventHandler',
  relationshipSubgraphOnFailure: 'cloudify.plugins.lifecycle._relationship_subgraph_on_failure',
  ignoreTaskInCleanup: 'cloudify.plugins.lifecycle._ignore_task_failure',
  hostState: 'cloudify.plugins.lifecycle._node_get_state_handler',
  healSucceeded: 'cloudify.plugins.lifecycle._on_heal_success',
  healFailed: 'cloudify.plugins.lifecycle._on_heal_failure',
  updateSucceeded: 'cloudify.plugins.lifecycle._on_update_success',
  updateFailed: 'cloudify.plugins.lifecycle._on_update_failure',
  statusSucceeded: 'cloudify.plugins.workflows.check_status_on_success',
  statusFailed: 'cloudify.plugins.workflows.check_status_on_failure',
  statusFailedIgnored: 'cloudify.plugins.workflows.check_status_on_failure_ignore_failure',
  driftSucceeded: 'cloudify.plugins.workflows.check_drift_on_success',
  driftFailed: 'cloudify.plugins.workflows.check_drift_on_failure',
  driftFailedIgnored: 'cloudify.plugins.workflows.check_drift_on_failure_ignore_failure',
} as const;
