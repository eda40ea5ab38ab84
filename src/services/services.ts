import type { BrokerConnection } from '../amqp/connection.ts';
import type { TenantBrokerAccounts } from '../amqp/tenant-accounts.ts';
import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator } from '../domain/clock.ts';
import { makeRevealSecret } from '../files/provided-secrets.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Logger } from '../log/logger.ts';
import { verifyPassword } from '../security/passwords.ts';
import type { ExtensionsHost } from '../runtime/extensions/manager.ts';
import type { SecretBox } from '../security/secret-box.ts';
import { readAccessVersion } from '../store/access-version.ts';
import { createAccounts } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { loadPermissions } from '../store/permissions.ts';
import { createAccessMemory } from './access-memory.ts';
import type { AgentBrokerAccounts } from '../amqp/agent-accounts.ts';
import { createAgentService } from './agents.ts';
import type { AgentService } from './agents.ts';
import { createAuditService } from './audit.ts';
import type { AuditService } from './audit.ts';
import { createAuthentication } from './authentication.ts';
import { createAuthorization } from './authorization.ts';
import type { AuthorizationService } from './authorization.ts';
import { createBlueprintService } from './blueprints.ts';
import type { BlueprintService } from './blueprints.ts';
import { createClusterService } from './cluster.ts';
import type { ClusterService } from './cluster.ts';
import { createCreationLookups } from './creation-lookups.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { createDeploymentGroupService } from './deployment-groups.ts';
import type { DeploymentGroupService } from './deployment-groups.ts';
import { createDeploymentModificationService } from './deployment-modifications.ts';
import type { DeploymentModificationService } from './deployment-modifications.ts';
import { createDeploymentService } from './deployments.ts';
import type { DeploymentService } from './deployments.ts';
import { createDirectoryService } from './directory.ts';
import type { DirectoryService } from './directory.ts';
import { createDeploymentUpdateService } from './deployment-updates.ts';
import type { DeploymentUpdateService } from './deployment-updates.ts';
import { createDoneRequests } from './done-requests.ts';
import { createEventService } from './events.ts';
import type { EventService } from './events.ts';
import { startExecutionWaiter } from './execution-waiter.ts';
import type { ExecutionWaiter } from './execution-waiter.ts';
import { createExecutionGroupService } from './execution-groups.ts';
import type { ExecutionGroupService } from './execution-groups.ts';
import { createArchiveService } from './archives.ts';
import type { ArchiveService } from './archives.ts';
import { startRestoreWatch } from './restore-watch.ts';
import type { RestoreWatch } from './restore-watch.ts';
import { createLiveService } from './live/live.ts';
import type { LiveService } from './live/live.ts';
import { createExecutionControlService } from './execution-control.ts';
import type { ExecutionControlService } from './execution-control.ts';
import { createExecutionService } from './executions.ts';
import type { ExecutionService } from './executions.ts';
import { createIdentityProviders } from './identity-providers.ts';
import type { IdentityProviderService } from './identity-providers.ts';
import { createInterDeploymentDependencyService } from './inter-deployment-dependencies.ts';
import type { InterDeploymentDependencyService } from './inter-deployment-dependencies.ts';
import { createMaintenanceService } from './maintenance.ts';
import type { MaintenanceService } from './maintenance.ts';
import { createExtensionsHost } from './extensions/host.ts';
import { createFilterService } from './filters.ts';
import type { FilterService } from './filters.ts';
import { createLabelService } from './label-lists.ts';
import type { LabelService } from './label-lists.ts';
import { createManagerService } from './manager.ts';
import type { ManagerService } from './manager.ts';
import { createNodeInstanceService, createNodeService } from './nodes.ts';
import type { NodeInstanceService, NodeService } from './nodes.ts';
import { openOpenIdLogin } from './openid.ts';
import type { OpenIdLogin } from './openid.ts';
import { createOperationService } from './operations.ts';
import type { OperationService } from './operations.ts';
import { createOutboxPublisher } from './outbox.ts';
import { openPermissionDirectory } from './permission-directory.ts';
import { createPermissionService } from './permissions.ts';
import type { PermissionService } from './permissions.ts';
import { createPluginService } from './plugins.ts';
import { createPluginsUpdateService } from './plugins-updates.ts';
import type { PluginsUpdateService } from './plugins-updates.ts';
import type { BlueprintParser } from '../executor/system/blueprint-parser.ts';
import type { PluginService } from './plugins.ts';
import { createScheduleService } from './schedules.ts';
import type { ScheduleService } from './schedules.ts';
import { createSummaryService } from './summaries.ts';
import type { SummaryService } from './summaries.ts';
import { createSiteService } from './sites.ts';
import type { SiteService } from './sites.ts';
import { createUserGroupService } from './user-groups.ts';
import type { UserGroupService } from './user-groups.ts';
import { openSamlLogin } from './saml.ts';
import { createResourceService } from './resources.ts';
import type { ResourceService } from './resources.ts';
import { createRecords } from './records.ts';
import type { Records } from './records.ts';
import { createSecretExchange } from './secret-exchange.ts';
import type { SecretExchange } from './secret-exchange.ts';
import { createSecretReader } from './secret-reader.ts';
import { createSecretService } from './secrets.ts';
import type { SecretService } from './secrets.ts';
import { createSecretsProviderService } from './secrets-providers.ts';
import type { SecretsProviderService } from './secrets-providers.ts';
import { createTenantDirectory } from './tenant-directory.ts';
import { createTenantService } from './tenants.ts';
import { createTenantQuotaService } from './tenant-quotas.ts';
import type { TenantQuotaService } from './tenant-quotas.ts';
import type { TenantService } from './tenants.ts';
import { createTokenService } from './tokens.ts';
import type { TokenService } from './tokens.ts';
import { createUserService } from './users.ts';
import type { UserService } from './users.ts';

/** Every use case of the product, and what serving them needs. */
export interface Services {
  readonly authorization: AuthorizationService;
  readonly agents: AgentService;
  readonly audit: AuditService;
  readonly blueprints: BlueprintService;
  readonly deployments: DeploymentService;
  readonly deploymentGroups: DeploymentGroupService;
  readonly deploymentModifications: DeploymentModificationService;
  readonly executionGroups: ExecutionGroupService;
  readonly interDeploymentDependencies: InterDeploymentDependencyService;
  readonly deploymentUpdates: DeploymentUpdateService;
  readonly executions: ExecutionService;
  readonly executionControl: ExecutionControlService;
  readonly nodes: NodeService;
  readonly nodeInstances: NodeInstanceService;
  readonly events: EventService;
  readonly operations: OperationService;
  readonly secrets: SecretService;
  readonly secretExchange: SecretExchange;
  readonly secretsProviders: SecretsProviderService;
  readonly records: Records;
  readonly directory: DirectoryService;
  readonly identityProviders: IdentityProviderService;
  /** Undefined = not set up. */
  readonly openId: OpenIdLogin | undefined;
  readonly tenants: TenantService;
  readonly tenantQuotas: TenantQuotaService;
  readonly users: UserService;
  readonly tokens: TokenService;
  readonly manager: ManagerService;
  readonly cluster: ClusterService;
  readonly maintenance: MaintenanceService;
  readonly filters: FilterService;
  readonly sites: SiteService;
  readonly schedules: ScheduleService;
  readonly summaries: SummaryService;
  readonly permissions: PermissionService;
  readonly plugins: PluginService;
  readonly pluginsUpdates: PluginsUpdateService;
  readonly userGroups: UserGroupService;
  readonly labels: LabelService;
  readonly resources: ResourceService;
  readonly live: LiveService;
  /** What operations of the built-in types ask of the manager. */
  readonly extensions: ExtensionsHost;
  readonly snapshots: ArchiveService;
  readonly logBundles: ArchiveService;
  readonly doneRequests: ReturnType<typeof createDoneRequests>;
  readonly restoring: RestoreWatch;
  readonly files: FileStore;
  readonly waiter: ExecutionWaiter;
  /** Waits for what is being published and stops listening. */
  stop(): Promise<void>;
}

export interface ServicesDependencies {
  readonly config: Config;
  readonly log: Logger;
  readonly database: Database;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  /** Connection to the `/` vhost. */
  readonly broker: BrokerConnection;
  readonly secretBox: SecretBox;
  /** Parses blueprints; stopped by whoever made it. */
  readonly parser: BlueprintParser;
  /** Makes tenants' accounts on the broker; undefined with the in-process one. */
  readonly tenantBroker?: TenantBrokerAccounts;
  /** Makes agents' accounts on the broker; undefined with the in-process one. */
  readonly agentBroker?: AgentBrokerAccounts;
  /** `hash_salt` of the manager that users were imported from. */
  readonly hashSalt?: string;
}

/** Makes all use cases. */
export async function createServices(dependencies: ServicesDependencies): Promise<Services> {
  const { config, log, database, files, clock, newId, broker, secretBox, hashSalt, parser } = dependencies;
  const outbox = createOutboxPublisher({ database, broker, log });
  const waiter = await startExecutionWaiter(database);
  const common: ServiceDependencies = { config, log, database, files, clock, newId, outbox, waiter };
  const audit = createAuditService({ database, log });
  const live = createLiveService({ database, log });
  const restoring = await startRestoreWatch(database, log);
  const memory = createAccessMemory(() => readAccessVersion(database));
  const doneRequests = createDoneRequests({ database, clock, log });
  const tenants = createTenantDirectory(database, memory);
  const maintenance = createMaintenanceService(database);
  const permissions = await openPermissionDirectory(database, log);
  const directory = createDirectoryService({ database, clock, box: secretBox });
  const accounts = createAccounts(database);
  const openId =
    config.identity.openId && (await openOpenIdLogin(config.identity.openId, { database, clock, log, box: secretBox }));
  const identityProviders = createIdentityProviders({
    directory,
    openId,
    saml: config.identity.saml && (await openSamlLogin(config.identity.saml, { database, clock, log })),
  });
  const authentication = createAuthentication({
    accounts,
    now: () => clock.now(),
    verifyPassword: (password, stored) => verifyPassword(password, stored, { hashSalt }),
    external: identityProviders,
  });
  const reveal = makeRevealSecret((stored) => secretBox.decrypt(stored), config.secrets);
  const secretReader = createSecretReader(reveal);
  const secrets = createSecretService(common, secretBox, reveal);
  const lookups = createCreationLookups();
  const services: Omit<Services, 'extensions'> = {
    authorization: createAuthorization({
      authentication,
      tenants,
      memory,
      loadPermissions: async () => Object.fromEntries(await loadPermissions(database)),
      isRestoring: () => restoring.isRestoring,
      maintenanceStatus: () => maintenance.currentStatus(),
    }),
    agents: createAgentService(common, { box: secretBox, accounts: dependencies.agentBroker }),
    audit,
    blueprints: createBlueprintService(common),
    deployments: createDeploymentService(common, lookups, secretReader),
    deploymentGroups: createDeploymentGroupService(common, lookups),
    deploymentModifications: createDeploymentModificationService(common),
    executionGroups: createExecutionGroupService(common),
    interDeploymentDependencies: createInterDeploymentDependencyService(common),
    deploymentUpdates: createDeploymentUpdateService(common),
    pluginsUpdates: createPluginsUpdateService({ ...common, parser }),
    executions: createExecutionService(common),
    executionControl: createExecutionControlService(common),
    nodes: createNodeService(common, secretReader),
    nodeInstances: createNodeInstanceService(common, secretReader),
    events: createEventService(common),
    operations: createOperationService(common),
    secrets,
    secretExchange: createSecretExchange(common, secrets, { box: secretBox, reveal, tenants }),
    secretsProviders: createSecretsProviderService(common, secretBox),
    records: createRecords(database),
    tenantQuotas: createTenantQuotaService({ database, files }),
    tenants: createTenantService({
      database,
      secrets: secretBox,
      broker: dependencies.tenantBroker,
      external: identityProviders,
      files,
    }),
    directory,
    identityProviders,
    openId,
    users: createUserService({ database, clock, lockRule: () => accounts.lockRule(), external: identityProviders }),
    tokens: createTokenService({ database, clock }),
    manager: createManagerService({ database, config, isBrokerConnected: () => broker.isConnected }),
    cluster: createClusterService({
      database,
      config,
      secrets: secretBox,
      isBrokerConnected: () => broker.isConnected,
    }),
    maintenance,
    filters: createFilterService(common),
    sites: createSiteService(common),
    schedules: createScheduleService(common),
    summaries: createSummaryService(database),
    permissions: createPermissionService(database, permissions),
    plugins: createPluginService(common),
    userGroups: createUserGroupService(database, identityProviders),
    labels: createLabelService(database),
    resources: createResourceService(database, tenants),
    live,
    snapshots: createArchiveService(common, 'snapshots'),
    logBundles: createArchiveService(common, 'log_bundles'),
    doneRequests,
    restoring,
    files,
    waiter,
    async stop() {
      openId?.stop();
      await live.stop();
      await outbox.flush();
      await audit.flush();
      await doneRequests.flush();
      await restoring.stop();
      await waiter.stop();
      await permissions.stop();
    },
  };
  return { ...services, extensions: createExtensionsHost({ config, database, services, permissions }) };
}
