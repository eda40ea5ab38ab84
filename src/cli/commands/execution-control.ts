import { InvalidArgumentError } from 'commander';
import type { Command } from '../command-tree.ts';
import type { OperationDecision } from '../../client/resources/executions.ts';
import type { BreakpointShape, OperationShape } from '../../client/types.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const breakpointNames = {
  operation: 'operation',
  node: 'node_id',
  instance: 'node_instance_id',
  type: 'type',
} as const;

/** Reads `operation=start,node=db`. @throws InvalidArgumentError */
function parseBreakpoint(text: string): BreakpointShape {
  const parts = text.split(',').map((part): [string, string] => {
    const [, name = '', value = ''] = /^([a-z]+)=(.+)$/.exec(part.trim()) ?? [];
    const member = Object.entries(breakpointNames).find(([known]) => known === name)?.[1];
    if (member === undefined) {
      const known = Object.keys(breakpointNames).join(', ');
      throw new InvalidArgumentError(`write NAME=VALUE[,NAME=VALUE], names are ${known}; got '${part}'`);
    }
    return [member, value];
  });
  return Object.fromEntries(parts);
}

/** Option of several breakpoints. */
export function collectBreakpoints(text: string, previous: readonly BreakpointShape[] = []): BreakpointShape[] {
  return [...previous, parseBreakpoint(text)];
}

const breakpointColumns: readonly Column<BreakpointShape>[] = [
  { title: 'operation', value: (item) => item.operation ?? '*' },
  { title: 'node', value: (item) => item.node_id ?? '*' },
  { title: 'node instance', value: (item) => item.node_instance_id ?? '*' },
  { title: 'type', value: (item) => item.type ?? '*' },
];

const operationColumns: readonly Column<OperationShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'node instance', value: (item) => item.node_instance_id },
  { title: 'operation', value: (item) => item.operation.split('.').at(-1) },
  { title: 'state', value: (item) => colourStatus(item.is_held ? 'held' : item.state) },
  { title: 'retry', value: (item) => item.retry_number },
  { title: 'started', value: (item) => shortTime(item.started_at) },
  { title: 'seconds', value: (item) => item.seconds },
  { title: 'on', value: (item) => item.agent_name ?? item.manager_name },
  { title: 'decided', value: (item) => (item.decision ? `${item.decision.action}, ${item.decision.by}` : undefined) },
  { title: 'error', value: (item) => item.error?.split('\n')[0] },
];

/** `pause`, `unpause`, `breakpoints` and `step` of `gantry executions`. */
export function addSteering(executions: Command, setting: CommandSetting): void {
  for (const [name, description] of [
    ['pause', 'let running operations end and start no new ones'],
    ['unpause', 'go on with a paused execution'],
  ] as const) {
    executions
      .command(name)
      .argument('<id>')
      .description(description)
      .action(
        command(setting, async (invocation, _options, id: string) => {
          const client = await invocation.client();
          const execution = await client.executions.act(id, name);
          invocation.output.done(`Execution ${id} is ${execution.status_display}`, execution);
        }),
      );
  }

  executions
    .command('breakpoints')
    .argument('<id>')
    .option('-b, --breakpoint <breakpoint>', 'replace them: operation=start,node=db; repeatable', collectBreakpoints)
    .option('--clear', 'remove all')
    .description('show or replace the breakpoints of an execution')
    .example(
      'gantry executions breakpoints 3f0c... -b operation=configure,node=db -b type=cloudify.nodes.Compute',
      'gantry executions breakpoints 3f0c... --clear',
    )
    .addHelpText('after', '\nNames are operation, node, instance and type; all that are given must fit.')
    .action(
      command(setting, async (invocation, options: { breakpoint?: BreakpointShape[]; clear?: boolean }, id: string) => {
        const client = await invocation.client();
        const isChanged = options.clear === true || options.breakpoint !== undefined;
        const items = isChanged
          ? await client.executions.setBreakpoints(id, options.breakpoint ?? [])
          : await client.executions.breakpoints(id);
        invocation.output.list(items, breakpointColumns, items.length);
      }),
    );

  executions
    .command('step')
    .argument('<id>')
    .description('release the operations that a breakpoint or a pause holds now')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        const execution = await client.executions.step(id);
        invocation.output.done(`${execution.released_operations} operations of execution ${id} go on`, execution);
      }),
    );
}

interface DecisionCommand {
  input?: readonly string[];
  result?: string;
  reason?: string;
  resume: boolean;
}

function readResult(text: string | undefined): unknown {
  if (text === undefined) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const decisions: readonly [OperationDecision['action'], string, readonly ('input' | 'result' | 'resume')[]][] = [
  ['retry', 'try an operation again that failed, hangs, or waits for its next attempt', ['input', 'resume']],
  ['skip', 'leave an operation out: what waits for it goes on', ['resume']],
  ['done', 'take an operation as done, e.g. because it was done by hand', ['result', 'resume']],
  ['edit', 'give an operation other inputs that has not run yet', ['input']],
  ['step', 'let one operation through that is held back', []],
];

function addDecision(
  operations: Command,
  setting: CommandSetting,
  [action, description, options]: (typeof decisions)[number],
): void {
  const decision = operations
    .command(action)
    .argument('<execution>')
    .argument('<operation>', 'id of the operation, see `gantry operations list`')
    .option('--reason <text>', 'shown in the events')
    .description(description);
  if (options.includes('input')) {
    decision.option('-i, --input <input>', 'name=value, {mapping} or file; repeatable', collect);
  }
  if (options.includes('result')) {
    decision.option('--result <json>', 'result of the operation');
  }
  if (options.includes('resume')) {
    decision.option('--no-resume', 'do not resume an execution that has ended');
  }
  decision.action(
    command(setting, async (invocation, given: DecisionCommand, execution: string, operation: string) => {
      const client = await invocation.client();
      const result = readResult(given.result);
      const decided = await client.executions.decide(execution, operation, {
        action,
        ...(given.input === undefined ? {} : { inputs: await parseInputs(given.input) }),
        ...(result === undefined ? {} : { result }),
        ...(given.reason === undefined ? {} : { reason: given.reason }),
        ...(options.includes('resume') ? { resume: given.resume } : {}),
      });
      const { operation: name, node_instance_id: instance, id } = decided;
      invocation.output.done(`${action}: ${name} of ${instance ?? ''} (${id})`, decided);
    }),
  );
}

/** `gantry operations ...` */
export function addOperationCommands(program: Command, setting: CommandSetting): void {
  const operations = program
    .command('operations')
    .alias('operation')
    .description('show the operations of an execution; retry, skip, edit or release single ones');
  withListOptions(operations.command('list'), {
    path: '/executions/*/operations',
    things: 'operations',
    isSearchable: false,
    hasAllTenants: false,
  })
    .argument('<execution>')
    .option('-s, --state <state>', 'only in this state')
    .description('list every attempt of every operation: inputs, times, worker, error')
    .example('gantry operations list 3f0c... --state failed')
    .action(
      command(setting, async (invocation, options: ListCommandOptions & { state?: string }, execution: string) => {
        const client = await invocation.client();
        const page = await client.executions.operations(execution, listOptions(options, { state: options.state }));
        invocation.output.list(page.items, operationColumns, page.metadata.pagination.total);
      }),
    );
  decisions.forEach((entry) => addDecision(operations, setting, entry));
}
