import type { Command } from '../command-tree.ts';
import type { CommandSetting } from '../invocation.ts';
import { archiveTable } from './archives.ts';
import { clusterTable } from './cluster.ts';
import { addDefinedCommands } from './definition.ts';
import { deploymentTable } from './deployments.ts';
import { directoryTable } from './directory.ts';
import { labelTable } from './labels.ts';
import { managerCommands } from './manager.ts';
import { ownershipTable } from './ownership.ts';
import { peopleCommands } from './people.ts';
import { pluginTable } from './plugins.ts';
import { recordCommands } from './records.ts';

/** What groups of commands are for, where no file of src/cli/commands makes the group. */
const groups: Readonly<Record<string, string>> = {
  audit: 'who changed what',
  'blueprints filters': 'rules for lists of blueprints, kept under a name',
  'blueprints labels': 'labels of blueprints',
  cluster: 'parts of the cluster',
  'cluster brokers': 'message brokers',
  'cluster db-nodes': 'database servers',
  config: 'settings of the manager',
  'deployments filters': 'rules for lists of deployments, kept under a name',
  'deployments groups labels': 'labels of groups, which their deployments get',
  'deployments labels': 'labels of deployments',
  'deployments modifications': 'changes of the number of instances',
  'deployments schedule': 'workflows that run at a time',
  'executions graphs': 'tasks graphs of executions',
  groups: 'groups that blueprints declare',
  idp: 'the identity provider',
  ldap: 'logging in by a directory',
  'log-bundles': 'logs of the manager in one archive',
  'maintenance-mode': 'let nothing new begin',
  managers: 'managers of the cluster',
  permissions: 'what roles may do',
  'plugins blueprint-labels': 'labels that blueprints get from a plugin',
  'plugins deployment-labels': 'labels that deployments get from a plugin',
  'plugins resource-tags': 'tags that resources get from a plugin',
  'secrets providers': 'places where secrets are kept',
  sites: 'where deployments are',
  snapshots: 'everything the manager holds in one archive',
  'user-groups': 'groups of users',
  workflows: 'what can be run on a deployment',
};

/** Adds the commands that are one request each. */
export function addTableCommands(program: Command, setting: CommandSetting): void {
  addDefinedCommands(program, setting, groups, [
    ...recordCommands,
    ...ownershipTable,
    ...labelTable,
    ...deploymentTable,
    ...pluginTable,
    ...peopleCommands,
    ...managerCommands,
    ...directoryTable,
    ...clusterTable,
    ...archiveTable,
  ]);
}
