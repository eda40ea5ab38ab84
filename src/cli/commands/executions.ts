import { Option } from 'commander';
import type { Command } from '../command-tree.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { GantryApiError } from '../../client/errors.ts';
import type { GantryClient } from '../../client/client.ts';
import type { StartOptions } from '../../client/resources/executions.ts';
import type { BreakpointShape, EventShape, ExecutionShape } from '../../client/types.ts';
import { UsageError } from '../errors.ts';
import { followLive } from '../../client/live.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { formatEvent } from '../progress.ts';
import { watchExecution } from '../watch.ts';
import { addExecutionGroupCommands } from './execution-groups.ts';
import { addSteering, collectBreakpoints } from './execution-control.ts';
import { addPlan } from './execution-plan.ts';
import { listOptions, wholeNumber, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const executionColumns: readonly Column<ExecutionShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'workflow', value: (item) => item.workflow_id },
  { title: 'deployment', value: (item) => item.deployment_id },
  { title: 'status', value: (item) => colourStatus(item.status_display) },
  { title: 'operations', value: (item) => `${item.finished_operations}/${item.total_operations}` },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'ended', value: (item) => shortTime(item.ended_at) },
  { title: 'error', value: (item) => item.error?.split('\n')[0] },
];

const stillCreating = new Set([
  'deployment_environment_creation_pending_error',
  'deployment_environment_creation_in_progress_error',
]);

/** Starts a workflow; waits while the deployment is still being created. */
export async function startExecution(
  client: GantryClient,
  deploymentId: string,
  workflow: string,
  options: StartOptions,
  signal: AbortSignal,
): Promise<ExecutionShape> {
  for (let pause = 100; ; pause = Math.min(pause * 2, 2000)) {
    try {
      return await client.executions.start(deploymentId, workflow, options);
    } catch (error) {
      if (!(error instanceof GantryApiError && stillCreating.has(error.code))) {
        throw error;
      }
      await delay(pause, undefined, { signal });
    }
  }
}

interface StartCommand {
  deploymentId: string;
  parameter?: readonly string[];
  allowCustomParameters?: boolean;
  force?: boolean;
  dryRun?: boolean;
  queue?: boolean;
  follow?: boolean;
  waitAfterFail?: number;
  breakpoint?: readonly BreakpointShape[];
}

function addStart(executions: Command, setting: CommandSetting): void {
  executions
    .command('start')
    .argument('<workflow>', 'e.g. install, uninstall, scale, heal')
    .requiredOption('-d, --deployment-id <id>', 'deployment to run it on')
    .option('-p, --parameter <parameter>', 'name=value, {mapping} or file; repeatable', collect)
    .option('--allow-custom-parameters', 'accept parameters that the workflow does not declare')
    .option('--force', 'even if another execution of the deployment is running')
    .option('--queue', 'wait behind a running execution of the deployment')
    .option('--dry-run', 'run no operation, only show what would run')
    .option('--wait-after-fail <seconds>', 'how long running operations may continue after a failure', wholeNumber)
    .option('-b, --breakpoint <breakpoint>', 'stop before operation=start,node=db; repeatable', collectBreakpoints)
    .option('-f, --follow', 'show its events until it ends')
    .description('run a workflow')
    .example(
      'gantry executions start install -d web --follow',
      'gantry executions start scale -d web -p scalable_entity_name=server -p delta=2 --follow',
    )
    .action(
      command(setting, async (invocation, options: StartCommand, workflow: string) => {
        const client = await invocation.client();
        const start: StartOptions = {
          parameters: await parseInputs(options.parameter ?? []),
          allowCustomParameters: options.allowCustomParameters === true,
          force: options.force === true,
          queue: options.queue === true,
          dryRun: options.dryRun === true,
          ...(options.waitAfterFail === undefined ? {} : { waitAfterFail: options.waitAfterFail }),
          ...(options.breakpoint === undefined ? {} : { breakpoints: options.breakpoint }),
        };
        const execution = await startExecution(client, options.deploymentId, workflow, start, setting.signal);
        if (options.follow !== true) {
          invocation.output.done(`Execution ${execution.id} of ${workflow} is ${execution.status_display}`, execution);
          return;
        }
        const ended = await watchExecution(invocation, client, execution, {
          title: `${workflow} ${options.deploymentId}`,
        });
        invocation.output.done(`Execution ${execution.id} of ${workflow} completed`, ended);
      }),
    );
}

interface ExecutionFilter {
  deploymentId?: string;
  executionGroup?: string;
  status?: string;
  system?: boolean;
}

function addReading(executions: Command, setting: CommandSetting): void {
  withListOptions(executions.command('list'), { path: '/executions', things: 'executions', isSearchable: false })
    .option('-d, --deployment-id <id>', 'only of this deployment')
    .option('-g, --execution-group <id>', 'only of this execution group')
    .option('-s, --status <status>', 'only with this status')
    .option('--system', 'system workflows too')
    .description('list executions, newest first')
    .example('gantry executions list -d web', 'gantry executions list --status failed --all-tenants --size 20')
    .action(
      command(setting, async (invocation, options: ListCommandOptions & ExecutionFilter) => {
        const client = await invocation.client();
        const page = await client.executions.list({
          sort: ['-created_at'],
          ...listOptions(options, {
            deployment_id: options.deploymentId,
            status: options.status,
            _group_id: options.executionGroup,
            _include_system_workflows: options.system === true ? true : undefined,
          }),
        });
        invocation.output.list(page.items, executionColumns, page.metadata.pagination.total);
      }),
    );

  executions
    .command('get')
    .argument('<id>')
    .description('show one execution')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.executions.get(id), [
          ...executionColumns.slice(0, -1),
          { title: 'parameters', value: (item) => item.parameters },
          { title: 'error', value: (item) => item.error },
        ]);
      }),
    );

  executions
    .command('follow')
    .argument('<id>')
    .description('show the events of an execution until it ends')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        const ended = await watchExecution(invocation, client, { id }, { title: id, endsInDeletion: true });
        invocation.output.done(`Execution ${id} completed`, ended);
      }),
    );
}

interface CancelCommand {
  force?: boolean;
  kill?: boolean;
  follow?: boolean;
}

function addActions(executions: Command, setting: CommandSetting): void {
  executions
    .command('cancel')
    .argument('<id>')
    .option('-f, --force', 'do not let the workflow finish what it is doing')
    .option('-k, --kill', 'also kill running operations')
    .description('cancel an execution')
    .action(
      command(setting, async (invocation, options: CancelCommand, id: string) => {
        const client = await invocation.client();
        const action = options.kill === true ? 'kill' : options.force === true ? 'force-cancel' : 'cancel';
        const execution = await client.executions.act(id, action);
        invocation.output.done(`Execution ${id} is ${execution.status_display}`, execution);
      }),
    );

  executions
    .command('resume')
    .argument('<id>')
    .option('-f, --force', 'also run operations again that had been started')
    .option('--follow', 'show its events until it ends')
    .description('resume a failed or cancelled execution where it stopped')
    .action(
      command(setting, async (invocation, options: CancelCommand, id: string) => {
        const client = await invocation.client();
        const execution = await client.executions.act(id, options.force === true ? 'force-resume' : 'resume');
        if (options.follow === true) {
          const ended = await watchExecution(invocation, client, execution, { title: execution.workflow_id });
          invocation.output.done(`Execution ${id} completed`, ended);
          return;
        }
        invocation.output.done(`Execution ${id} is ${execution.status_display}`, execution);
      }),
    );
}

interface EventsCommand {
  follow?: boolean;
  tail?: boolean;
  deploymentId?: string;
  logs: boolean;
  size?: number;
  offset?: number;
  message?: string;
  node?: string;
}

/** Shows what happens in the tenant, or with one deployment, until the person has seen enough. */
async function followEvents(invocation: Invocation, client: GantryClient, options: EventsCommand): Promise<void> {
  const query = {
    topics: 'events',
    deployment_id: options.deploymentId,
    node_id: options.node,
    ...(options.logs ? {} : { type: 'cloudify_event' }),
  };
  const messages = followLive(client.transport, query, {
    signal: invocation.signal,
    onUnreachable: (error) => invocation.output.note(`${error.message}; waiting for it to come back`),
  });
  for await (const { event, body } of messages) {
    if (event === 'event') {
      showEvents(invocation.output, [body as EventShape], invocation.options.verbose === true);
    }
  }
}

/** `gantry events [list] [EXECUTION]`. */
function addEvents(program: Command, setting: CommandSetting): void {
  const events = program.command('events').description('show, follow and delete events and logs');
  events.example('gantry events 3f0c... --follow');
  events
    .command('list', { isDefault: true })
    .argument('[execution]', 'id of an execution; not needed with --follow')
    .option('-f, --follow', 'follow until the execution ends; without one, until Ctrl-C')
    .addOption(new Option('--tail', 'the same as --follow').hideHelp())
    .option('-d, --deployment-id <id>', 'with --follow: only of this deployment')
    .option('--no-logs', 'events only, no log lines')
    .option('--size <n>', 'lines to show', wholeNumber)
    .option('--offset <n>', 'lines to skip', wholeNumber)
    .option('--message <text>', 'only messages that contain the text')
    .option('--node <name>', 'only of this node')
    .description('show the events and logs of an execution; the word list may be left out')
    .example('gantry events 3f0c... --follow', 'gantry events --follow -d web')
    .action(
      command(setting, async (invocation, options: EventsCommand, id: string | undefined) => {
        const client = await invocation.client();
        const isFollowing = options.follow === true || options.tail === true;
        if (id === undefined) {
          if (!isFollowing) {
            throw new UsageError('Say which execution', 'Or follow everything with: gantry events --follow');
          }
          await followEvents(invocation, client, options);
          return;
        }
        if (isFollowing) {
          await watchExecution(invocation, client, { id }, { title: id, withLogs: options.logs, endsInDeletion: true });
          return;
        }
        const page = await client.executions.events({
          withLogs: options.logs,
          ...(options.size === undefined ? {} : { size: options.size }),
          ...(options.offset === undefined ? {} : { offset: options.offset }),
          filters: {
            execution_id: id,
            message: options.message === undefined ? undefined : `%${options.message}%`,
            node_id: options.node,
          },
        });
        if (page.items.length === 0) {
          // an execution that is not there has no events either
          await client.executions.get(id);
        }
        showEvents(invocation.output, page.items, invocation.options.verbose === true);
      }),
    );
}

function showEvents(
  output: { format: string; data(value: unknown): void; line(text: string): void },
  events: readonly EventShape[],
  withCauses: boolean,
): void {
  if (output.format !== 'table') {
    output.data(events);
    return;
  }
  if (events.length === 0) {
    output.line('No events.');
  }
  for (const event of events) {
    output.line(formatEvent(event, { withCauses }));
  }
}

/** `gantry executions ...` and `gantry events`. */
export function addExecutionCommands(program: Command, setting: CommandSetting): void {
  const executions = program
    .command('executions')
    .alias('execution')
    .description('run workflows, follow, cancel and resume them');
  addStart(executions, setting);
  addReading(executions, setting);
  addActions(executions, setting);
  addExecutionGroupCommands(executions, setting);
  addPlan(executions, setting);
  addSteering(executions, setting);
  addEvents(program, setting);
}
