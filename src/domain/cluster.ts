/** The manager itself and what belongs to it: its members, agents, archives and the record of changes. */
import type { Resource } from './entities.ts';
import type { Json, JsonObject } from './plan.ts';

export interface ManagerMember {
  id: number;
  hostname: string;
  privateIp: string;
  publicIp: string;
  version: string;
  edition: string;
  distribution: string;
  distroRelease: string;
  fileSyncNodeId: string | undefined;
  networks: JsonObject;
  caCertificate: string | undefined;
  lastSeen: Date;
  statusReportFrequency: number | undefined;
}

export interface BrokerMember {
  name: string;
  host: string;
  managementHost: string | undefined;
  port: number | undefined;
  username: string | undefined;
  /** Encrypted. */
  password: string | undefined;
  params: Json | undefined;
  networks: JsonObject;
  caCertificate: string | undefined;
  isExternal: boolean;
}

export interface DatabaseMember {
  name: string;
  host: string;
  isExternal: boolean;
}

export const agentStates = [
  'creating',
  'created',
  'configuring',
  'configured',
  'starting',
  'started',
  'stopping',
  'stopped',
  'deleting',
  'deleted',
  'restarting',
  'restarted',
  'upgrading',
  'upgraded',
  'failed',
  'nonresponsive',
  'restored',
] as const;
export type AgentState = (typeof agentStates)[number];

/** A host agent. Clients know it by its name. */
export interface Agent extends Resource {
  name: string;
  createdAt: Date;
  updatedAt: Date | undefined;
  ip: string | undefined;
  installMethod: string;
  system: string | undefined;
  version: string | undefined;
  state: AgentState;
  rabbitmqUsername: string | undefined;
  /** Encrypted. */
  rabbitmqPassword: string | undefined;
  rabbitmqExchange: string;
  nodeInstanceId: string;
  nodeId: string;
  deploymentId: string;
  hostId: string | undefined;
}

export type ArchiveStatus = 'creating' | 'created' | 'failed' | 'uploaded';

/** A snapshot or a log bundle. */
export interface StoredArchive extends Resource {
  createdAt: Date;
  status: ArchiveStatus;
  error: string | undefined;
}

/** What a plugin goes through on a manager or agent. */
export const pluginInstallationStates = [
  'pending-install',
  'installing',
  'installed',
  'error',
  'pending-uninstall',
  'uninstalling',
  'uninstalled',
] as const;
export type PluginInstallationState = (typeof pluginInstallationStates)[number];

/** Where a plugin is installed. */
export interface PluginState {
  state: string;
  error: string | undefined;
  /** Host name of a manager. */
  manager: string | undefined;
  /** Name of an agent. */
  agent: string | undefined;
}

export interface AuditRecord {
  storageId: number;
  createdAt: Date;
  refTable: string;
  refId: number;
  operation: 'create' | 'update' | 'delete';
  creatorName: string | undefined;
  executionId: string | undefined;
  refIdentifier: JsonObject | undefined;
  /** Name of the tenant whose id is in `refIdentifier`. */
  tenantName: string | undefined;
  /** Where the change was asked for from; undefined for those of executions and of the manager itself. */
  address: string | undefined;
}
