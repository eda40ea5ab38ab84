import type { Command } from '../command-tree.ts';
import type { ExecutionPlanShape, PlannedGraphShape, PlannedOperationShape } from '../../client/types.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';

interface PlanCommand {
  deploymentId: string;
  parameter?: readonly string[];
  allowCustomParameters?: boolean;
  mermaid?: boolean;
}

function time(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Number(seconds.toFixed(1))} s`;
}

function describe(operation: PlannedOperationShape): string {
  const {
    operation: name,
    node_instance_id: instance,
    related_instance_id: related,
    seconds,
    host_id: host,
  } = operation;
  const where = host === null ? '' : `, on ${host}`;
  const duration = seconds === null ? '' : `, ${time(seconds)}`;
  return `${instance}${related === null ? '' : ` with ${related}`}: ${name.split('.').at(-1) ?? ''}${duration}${where}`;
}

interface Branch {
  readonly label: string;
  readonly children: Branch[];
}

function branchesOf(graph: PlannedGraphShape): Branch[] {
  const root: Branch = { label: graph.name, children: [] };
  const critical = new Set(graph.critical_path);
  for (const operation of graph.operations) {
    let at = root;
    for (const name of operation.path) {
      const known = at.children.find(({ label }) => label === name);
      const next = known ?? { label: name, children: [] };
      if (!known) {
        at.children.push(next);
      }
      at = next;
    }
    at.children.push({ label: `${critical.has(operation.id) ? '* ' : ''}${describe(operation)}`, children: [] });
  }
  return root.children;
}

function draw(branches: readonly Branch[], indent = ''): string[] {
  return branches.flatMap(({ label, children }, index) => {
    const isLast = index === branches.length - 1;
    const below = draw(children, `${indent}${isLast ? '   ' : '│  '}`);
    return [`${indent}${isLast ? '└─ ' : '├─ '}${label}`, ...below];
  });
}

/** The plan as a tree: graphs, subgraphs, operations; those on the critical path have a star. */
export function planTree(plan: ExecutionPlanShape): string {
  const unknown =
    plan.unknown_durations === 0 ? '' : ` (of ${plan.unknown_durations} operations the duration is not known yet)`;
  const head = `${plan.workflow_id} on ${plan.deployment_id}: ${plan.total_operations} operations, about ${time(plan.seconds)}${unknown}`;
  const graphs = plan.graphs.flatMap((graph) => [
    `${graph.name} (${graph.operations.length} operations, about ${time(graph.seconds)})`,
    ...draw(branchesOf(graph)),
  ]);
  return [head, ...graphs].join('\n');
}

/** The plan as a Mermaid flowchart; operations on the critical path are marked. */
export function planMermaid(plan: ExecutionPlanShape): string {
  const lines = ['flowchart TD'];
  const names = new Map<string, string>();
  for (const [index, graph] of plan.graphs.entries()) {
    lines.push(`  subgraph g${index}["${graph.name.replaceAll('"', "'")}"]`);
    for (const operation of graph.operations) {
      const name = `o${names.size}`;
      names.set(operation.id, name);
      lines.push(`    ${name}["${describe(operation).replaceAll('"', "'")}"]`);
    }
    lines.push('  end');
    for (const operation of graph.operations) {
      for (const before of operation.after) {
        lines.push(`  ${names.get(before) ?? ''} --> ${names.get(operation.id) ?? ''}`);
      }
    }
    const critical = graph.critical_path.map((id) => names.get(id) ?? '');
    if (critical.length > 0) {
      lines.push(`  class ${critical.join(',')} critical`);
    }
  }
  for (let index = 1; index < plan.graphs.length; index += 1) {
    lines.push(`  g${index - 1} --> g${index}`);
  }
  lines.push('  classDef critical stroke-width:3px');
  return lines.join('\n');
}

/** `gantry executions plan`. */
export function addPlan(executions: Command, setting: CommandSetting): void {
  executions
    .command('plan')
    .argument('<workflow>', 'e.g. install, uninstall, scale, heal')
    .requiredOption('-d, --deployment-id <id>', 'deployment it would run on')
    .option('-p, --parameter <parameter>', 'name=value, {mapping} or file; repeatable', collect)
    .option('--allow-custom-parameters', 'accept parameters that the workflow does not declare')
    .option('--mermaid', 'draw a Mermaid flowchart instead of a tree')
    .description('show what a workflow would do, in which order, and how long it would take')
    .example('gantry executions plan install -d web --mermaid > plan.mmd')
    .action(
      command(setting, async (invocation, options: PlanCommand, workflow: string) => {
        const client = await invocation.client();
        const plan = await client.executions.plan(options.deploymentId, workflow, {
          parameters: await parseInputs(options.parameter ?? []),
          allowCustomParameters: options.allowCustomParameters === true,
        });
        const { output } = invocation;
        if (output.format !== 'table') {
          output.data(plan);
          return;
        }
        output.line(options.mermaid === true ? planMermaid(plan) : planTree(plan));
      }),
    );
}
