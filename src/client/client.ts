import { PluginsApi } from './resources/plugins.ts';
import { SecretsApi, TenantsApi, TokensApi, UsersApi } from './resources/administration.ts';
import { BlueprintsApi } from './resources/blueprints.ts';
import { DeploymentsApi } from './resources/deployments.ts';
import { DeploymentGroupsApi, ExecutionGroupsApi } from './resources/groups.ts';
import { DeploymentUpdatesApi } from './resources/deployment-updates.ts';
import { ExecutionsApi } from './resources/executions.ts';
import { LoginsApi } from './resources/logins.ts';
import { Transport } from './transport.ts';
import type { TransportOptions } from './transport.ts';
import type { StatusShape, VersionShape } from './types.ts';

/** Everything a program can ask of one manager over REST v3.1. */
export class GantryClient {
  readonly transport: Transport;
  readonly blueprints: BlueprintsApi;
  readonly deployments: DeploymentsApi;
  readonly deploymentUpdates: DeploymentUpdatesApi;
  readonly executions: ExecutionsApi;
  readonly deploymentGroups: DeploymentGroupsApi;
  readonly executionGroups: ExecutionGroupsApi;
  readonly plugins: PluginsApi;
  readonly tokens: TokensApi;
  readonly logins: LoginsApi;
  readonly tenants: TenantsApi;
  readonly users: UsersApi;
  readonly secrets: SecretsApi;

  constructor(options: TransportOptions) {
    this.transport = new Transport(options);
    this.blueprints = new BlueprintsApi(this.transport);
    this.deployments = new DeploymentsApi(this.transport);
    this.deploymentUpdates = new DeploymentUpdatesApi(this.transport);
    this.executions = new ExecutionsApi(this.transport);
    this.deploymentGroups = new DeploymentGroupsApi(this.transport);
    this.executionGroups = new ExecutionGroupsApi(this.transport);
    this.plugins = new PluginsApi(this.transport);
    this.tokens = new TokensApi(this.transport);
    this.logins = new LoginsApi(this.transport);
    this.tenants = new TenantsApi(this.transport);
    this.users = new UsersApi(this.transport);
    this.secrets = new SecretsApi(this.transport);
  }

  status(): Promise<StatusShape> {
    return this.transport.json('GET', '/status');
  }

  version(): Promise<VersionShape> {
    return this.transport.json('GET', '/api/version');
  }

  /** Closes kept connections. */
  close(): void {
    this.transport.close();
  }
}
