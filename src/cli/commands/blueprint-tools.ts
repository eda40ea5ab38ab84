import { writeFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Option } from 'commander';
import type { Command } from '../command-tree.ts';
import { packBlueprint } from '../../client/archive.ts';
import { followExecution } from '../../client/follow.ts';
import { dotOf } from '../../dsl/diagram/dot.ts';
import { mermaidOf } from '../../dsl/diagram/mermaid.ts';
import { diagramOf } from '../../dsl/diagram/model.ts';
import type { Diagram } from '../../dsl/diagram/model.ts';
import { svgOf } from '../../dsl/diagram/svg.ts';
import { describeProblems } from '../../dsl/report/problem.ts';
import type { BlueprintProblem } from '../../dsl/report/problem.ts';
import { sarifLog } from '../../dsl/report/sarif.ts';
import { supportedVersions } from '../../dsl/versions.ts';
import { FailedOutcome, UsageError } from '../errors.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { blueprintIdOf } from '../upload.ts';
import { programVersion } from './status.ts';

const pathArgument = ['<path>', 'a YAML file, a folder or an archive'] as const;
const mainOption = ['-n, --main <file>', 'main YAML file in the folder or archive'] as const;

async function validateOnManager(
  setting: CommandSetting,
  invocation: Invocation,
  path: string,
  mainFile: string | undefined,
): Promise<void> {
  const client = await invocation.client();
  const archive = await packBlueprint(path, mainFile).catch((error: unknown) => {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  });
  try {
    const name = `validate-${blueprintIdOf(path)}-${process.pid}`;
    const blueprint = await client.blueprints.validate(name, archive);
    const execution = client.blueprints.uploadExecution(blueprint);
    if (execution === undefined) {
      throw new FailedOutcome('The manager did not start the validation');
    }
    const ended = await followExecution(client, execution.id, { signal: setting.signal });
    if (ended.status !== 'terminated') {
      throw new FailedOutcome(`Invalid blueprint: ${ended.error ?? ended.status}`);
    }
  } finally {
    await archive.dispose();
  }
}

interface ValidateCommand {
  main?: string;
  remote?: boolean;
  sarif?: boolean;
}

/** Files relative to where the program runs are relative URIs, as code hosts want them. */
function uriOf(file: string): string {
  if (isAbsolute(file)) {
    return pathToFileURL(file).href;
  }
  return /^[a-z][a-z+.-]+:/i.test(file) ? file : file.split(/[\\/]/).map(encodeURIComponent).join('/');
}

async function reportProblems(
  invocation: Invocation,
  path: string,
  problems: readonly BlueprintProblem[],
  isSarif: boolean,
): Promise<void> {
  const { output } = invocation;
  if (isSarif) {
    output.line(JSON.stringify(sarifLog(problems, { version: await programVersion(), uriOf }), undefined, 2));
  } else if (output.format !== 'table') {
    output.data(problems);
  } else if (problems.length === 0) {
    output.done(`${path} is a valid blueprint`, []);
  } else {
    throw new FailedOutcome(`the blueprint is not valid\n${describeProblems(problems)}`);
  }
  if (problems.length > 0) {
    throw new FailedOutcome(`${path} is not valid, problems: ${problems.length}`);
  }
}

function addValidate(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('validate')
    .argument(...pathArgument)
    .option(...mainOption)
    .option('--sarif', 'print the problems as SARIF 2.1.0, for code hosts and editors')
    .option('--remote', 'validate on the manager, which knows its plugins and other blueprints')
    .description('check a blueprint without uploading it; with --json a list of its problems')
    .example('gantry blueprints validate blueprints/hello-world/blueprint.yaml')
    .action(
      command(setting, async (invocation, options: ValidateCommand, path: string) => {
        if (options.remote === true) {
          if (options.sarif === true) {
            throw new UsageError('Choose one of --sarif and --remote: a manager tells its problems as text only');
          }
          await validateOnManager(setting, invocation, path, options.main);
          invocation.output.done(`${path} is a valid blueprint`, []);
          return;
        }
        const { checkOffline } = await import('../offline.ts');
        const { problems } = await checkOffline(path, options.main, setting.signal);
        await reportProblems(invocation, path, problems, options.sarif === true);
      }),
    );
}

function addPlan(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('plan')
    .argument(...pathArgument)
    .option(...mainOption)
    .option('-i, --inputs <inputs>', 'name=value, a mapping or a file; prints the plan a deployment would get', collect)
    .description('print the plan that a blueprint is parsed into, without a manager')
    .example('gantry blueprints plan blueprints/hello-world -i port=8081')
    .action(
      command(setting, async (invocation, options: { main?: string; inputs?: readonly string[] }, path: string) => {
        const { planOffline, prepareOffline } = await import('../offline.ts');
        const inputs = options.inputs && (await parseInputs(options.inputs));
        const plan = await planOffline(path, options.main, setting.signal);
        invocation.output.data(inputs ? await prepareOffline(plan, inputs) : plan);
      }),
    );
}

const drawings: Readonly<Record<string, (diagram: Diagram) => string>> = { mermaid: mermaidOf, dot: dotOf, svg: svgOf };

function addGraph(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('graph')
    .argument(...pathArgument)
    .option(...mainOption)
    .addOption(
      new Option('--format <format>', 'language of the drawing').choices(Object.keys(drawings)).default('mermaid'),
    )
    .option('-o, --output <file>', 'default: standard output')
    .description('draw the topology of a blueprint: nodes in their containers, relationships, scaling groups')
    .example('gantry blueprints graph blueprints/multi-tier --format svg -o topology.svg')
    .action(
      command(
        setting,
        async (invocation, options: { main?: string; format: string; output?: string }, path: string) => {
          const { planOffline } = await import('../offline.ts');
          const plan = await planOffline(path, options.main, setting.signal);
          const drawing = drawings[options.format]?.(diagramOf(plan, blueprintIdOf(path))) ?? '';
          if (options.output === undefined) {
            invocation.output.line(drawing.trimEnd());
            return;
          }
          await writeFile(options.output, drawing).catch((error: unknown) => {
            throw new UsageError(`Cannot write ${String(options.output)}: ${(error as Error).message}`);
          });
          invocation.output.done(`Topology drawn to ${options.output}`, { file: options.output });
        },
      ),
    );
}

function addSchema(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('schema')
    .addOption(
      new Option('--dsl-version <version>', 'version of the language; default: the latest').choices(supportedVersions),
    )
    .description('print a JSON Schema of blueprints, for editors')
    .example('gantry blueprints schema > blueprint.schema.json')
    .action(
      command(setting, async (invocation, options: { dslVersion?: string }) => {
        const { blueprintJsonSchema } = await import('../../dsl/json-schema.ts');
        invocation.output.data(blueprintJsonSchema(options.dslVersion));
      }),
    );
}

/** `gantry blueprints validate|plan|graph|schema`: what needs no manager. */
export function addBlueprintTools(blueprints: Command, setting: CommandSetting): void {
  addValidate(blueprints, setting);
  addPlan(blueprints, setting);
  addGraph(blueprints, setting);
  addSchema(blueprints, setting);
}
