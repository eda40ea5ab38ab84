import { eachItem } from '../../client/pages.ts';
import type { GantryClient } from '../../client/client.ts';
import type { ExecutionShape } from '../../client/types.ts';
import type { Command } from '../command-tree.ts';
import { FailedOutcome } from '../errors.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { colourStatus } from '../output.ts';
import { watchExecution } from '../watch.ts';
import { startExecution } from './executions.ts';

interface AgentChoice {
  deploymentId?: readonly string[];
  nodeId?: readonly string[];
  nodeInstanceId?: readonly string[];
  installMethod?: readonly string[];
  follow?: boolean;
}

interface InstallCommand extends AgentChoice {
  managerIp?: string;
  stopOldAgent?: boolean;
}

interface AgentPlace {
  deployment: string;
}

/** Deployments that have agents which were chosen. @throws FailedOutcome when there are none */
async function deploymentsWith(client: GantryClient, choice: AgentChoice): Promise<string[]> {
  const found = new Set<string>();
  const agents = eachItem<AgentPlace>(client.transport, '/agents', {
    filters: {
      deployment_id: choice.deploymentId,
      node_id: choice.nodeId,
      node_instance_id: choice.nodeInstanceId,
      install_method: choice.installMethod,
    },
  });
  for await (const agent of agents) {
    found.add(agent.deployment);
  }
  if (found.size === 0) {
    throw new FailedOutcome('No agent fits', 'See which there are: gantry agents list');
  }
  return [...found];
}

/** Parameters of both workflows that say which agents are meant. */
function parametersOf(choice: AgentChoice): Record<string, unknown> {
  const { nodeId, nodeInstanceId, installMethod } = choice;
  return {
    ...(nodeId === undefined ? {} : { node_ids: nodeId }),
    ...(nodeInstanceId === undefined ? {} : { node_instance_ids: nodeInstanceId }),
    ...(installMethod === undefined ? {} : { install_methods: installMethod }),
  };
}

function withChoice(agents: Command): Command {
  return agents
    .option('-d, --deployment-id <id>', 'agents of this deployment; repeatable; default: of all', collect)
    .option('-n, --node-id <id>', 'agents of this node; repeatable', collect)
    .option('--node-instance-id <id>', 'agent of this node instance; repeatable', collect)
    .option('--install-method <method>', 'agents that were installed in this way; repeatable', collect)
    .option('-f, --follow', 'show the events until all is done');
}

/** Starts the workflow on every deployment with agents that were chosen. */
function starts(
  setting: CommandSetting,
  workflow: string,
  parameters: (options: InstallCommand) => Record<string, unknown>,
): (...values: unknown[]) => Promise<void> {
  return command(setting, async (invocation, options: InstallCommand) => {
    const client = await invocation.client();
    const deployments = await deploymentsWith(client, options);
    const executions: ExecutionShape[] = [];
    for (const deployment of deployments) {
      const start = { parameters: { ...parametersOf(options), ...parameters(options) } };
      executions.push(await startExecution(client, deployment, workflow, start, setting.signal));
    }
    if (options.follow === true) {
      for (const [index, execution] of executions.entries()) {
        const title = `${workflow} ${deployments[index] ?? ''}`;
        executions[index] = (await watchExecution(invocation, client, execution, { title })) ?? execution;
      }
    }
    invocation.output.list(executions, [
      { title: 'deployment', value: (item) => item.deployment_id },
      { title: 'execution', value: (item) => item.id },
      { title: 'status', value: (item) => colourStatus(item.status_display) },
    ]);
  });
}

/** `gantry agents install` and `gantry agents validate`. */
export function addAgentCommands(program: Command, setting: CommandSetting): void {
  const agents = program.command('agents').description('agents on hosts');
  withChoice(agents.command('install'))
    .option('--manager-ip <address>', 'manager that the new agents connect to; default: this one')
    .option('--stop-old-agent', 'stop the existing agents')
    .description('install new agents in place of the existing ones')
    .example('gantry agents install -d web --follow')
    .action(
      starts(setting, 'install_new_agents', ({ managerIp, stopOldAgent }) => ({
        ...(managerIp === undefined ? {} : { manager_ip: managerIp }),
        ...(stopOldAgent === true ? { stop_old_agent: true } : {}),
      })),
    );
  withChoice(agents.command('validate'))
    .description('check that agents answer')
    .example('gantry agents validate', 'gantry agents validate -d web --follow')
    .action(starts(setting, 'validate_agents', () => ({})));
}
