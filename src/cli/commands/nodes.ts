import type { Command } from '../command-tree.ts';
import type { NodeInstanceShape, NodeShape } from '../../client/types.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { colourStatus } from '../output.ts';
import type { Column } from '../output.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const nodeColumns: readonly Column<NodeShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'deployment', value: (item) => item.deployment_id },
  { title: 'type', value: (item) => item.type },
  { title: 'host', value: (item) => item.host_id },
  { title: 'instances', value: (item) => `${item.actual_number_of_instances}/${item.planned_number_of_instances}` },
];

const instanceColumns: readonly Column<NodeInstanceShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'deployment', value: (item) => item.deployment_id },
  { title: 'node', value: (item) => item.node_id },
  { title: 'host', value: (item) => item.host_id },
  { title: 'state', value: (item) => colourStatus(item.state) },
];

/** `gantry nodes ...` and `gantry node-instances ...` */
export function addNodeCommands(program: Command, setting: CommandSetting): void {
  const nodes = program.command('nodes').alias('node').description('show the nodes of deployments');
  withListOptions(nodes.command('list'), { path: '/nodes', things: 'nodes' })
    .option('-d, --deployment-id <id>', 'only of this deployment')
    .description('list nodes')
    .example('gantry nodes list -d web')
    .action(
      command(setting, async (invocation, options: ListCommandOptions & { deploymentId?: string }) => {
        const client = await invocation.client();
        const page = await client.deployments.nodes(listOptions(options, { deployment_id: options.deploymentId }));
        invocation.output.list(page.items, nodeColumns, page.metadata.pagination.total);
      }),
    );

  const instances = program
    .command('node-instances')
    .alias('node-instance')
    .description('show node instances and their runtime properties');
  withListOptions(instances.command('list'), { path: '/node-instances', things: 'node instances' })
    .option('-d, --deployment-id <id>', 'only of this deployment')
    .option('-n, --node-id <id>', 'only of this node')
    .description('list node instances')
    .example('gantry node-instances list -d web -n server')
    .action(
      command(setting, async (invocation, options: ListCommandOptions & { deploymentId?: string; nodeId?: string }) => {
        const client = await invocation.client();
        const page = await client.deployments.nodeInstances(
          listOptions(options, { deployment_id: options.deploymentId, node_id: options.nodeId }),
        );
        invocation.output.list(page.items, instanceColumns, page.metadata.pagination.total);
      }),
    );
  instances
    .command('get')
    .argument('<id>')
    .description('show one node instance')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.deployments.nodeInstance(id), [
          ...instanceColumns,
          { title: 'version', value: (item) => item.version },
          { title: 'runtime properties', value: (item) => item.runtime_properties },
        ]);
      }),
    );
}
