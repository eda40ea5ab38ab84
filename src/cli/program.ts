import { CommanderError, Option } from 'commander';
import { colors } from './colors.ts';
import { Command } from './command-tree.ts';
import { addAdministrationCommands } from './commands/administration.ts';
import { addAgentCommands } from './commands/agents.ts';
import { addBlueprintCommands } from './commands/blueprints.ts';
import { addCertificateCommands } from './commands/certs.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDeploymentCommands } from './commands/deployments.ts';
import { addOperationCommands } from './commands/execution-control.ts';
import { addExecutionCommands } from './commands/executions.ts';
import { addInstallCommands } from './commands/install.ts';
import { addKeyCommands } from './commands/keys.ts';
import { addLanguageCommand } from './commands/language.ts';
import { addNodeCommands } from './commands/nodes.ts';
import { addPluginCommands } from './commands/plugins.ts';
import { addProfileCommands } from './commands/profiles.ts';
import { addSecretCommands } from './commands/secrets.ts';
import { addStatusCommands } from './commands/status.ts';
import { addServerCommands } from './commands/up.ts';
import { FailedOutcome, StoppedFollowing, exitCodes, reportError } from './errors.ts';
import type { CommandSetting } from './invocation.ts';
import type { ManagerControl } from './manager-control.ts';
import { addTableCommands } from './tables/index.ts';
import type { Terminal } from './terminal.ts';

const epilogue = `
Start here:
  gantry up                                  start a complete manager in this terminal
  gantry install blueprints/hello-world      upload, deploy and install a blueprint
  gantry uninstall hello-world               and take it all away again

Exit codes:
  0 done   1 failed   2 wrong command line   3 not found   4 denied   5 manager unreachable   6 conflict
  130 interrupted; an execution that was followed goes on

Environment:
  GANTRY_URL GANTRY_USERNAME GANTRY_PASSWORD GANTRY_TOKEN GANTRY_TENANT GANTRY_CA_FILE instead of a profile,
  GANTRY_PROFILE_DIR where profiles are stored (default ~/.gantry), NO_COLOR for plain text.`;

/** Headings of the list of commands, and what stands below each in this order. */
const headings: Readonly<Record<string, string>> = {
  'Install and look:': 'install uninstall status outputs events',
  'Blueprints and deployments:': 'blueprints deployments nodes node-instances workflows groups sites',
  'Executions:': 'executions operations agents',
  'What blueprints use:': 'plugins secrets',
  'People and rights:': 'users user-groups tenants tokens permissions ldap idp audit',
  'Manager:': 'up serve migrate managers cluster config maintenance-mode snapshots log-bundles keys certs',
  'This program:': 'profiles completion lsp version',
};

/** Puts commands below their headings, in the order of the table. */
function arrange(program: Command): void {
  const order: string[] = [];
  for (const [heading, names] of Object.entries(headings)) {
    for (const name of names.split(' ')) {
      program.children.find((command) => command.name() === name)?.helpGroup(heading);
      order.push(name);
    }
  }
  program.orderChildren(order);
  // where the command that commander adds goes
  program.commandsGroup(Object.keys(headings).at(-1) ?? '').helpCommand('help [command]', 'display help for command');
}

function addGlobalOptions(program: Command): void {
  program
    .option('--profile <name>', 'profile to use for this command')
    .option('--url <url>', 'manager to speak to')
    .option('-u, --username <name>', 'user name')
    .addOption(new Option('--password <text>', 'password; better: --password-file').hideHelp())
    .option('--password-file <file>', 'file with the password')
    .option('--token <token>', 'token instead of user and password')
    .option('-t, --tenant <name>', 'tenant to work in')
    .option('--ca <file>', "PEM file of the authority of the manager's certificate")
    .option('--insecure', 'accept any certificate')
    .option('--json', 'print results as JSON')
    .option('--yaml', 'print results as YAML')
    .option('-q, --quiet', 'print results only')
    .option('-v, --verbose', 'print more, such as causes of errors');
}

/** Builds the whole command line. */
export function buildProgram(setting: CommandSetting, control: ManagerControl): Command {
  const program = new Command('gantry');
  program
    .description('Gantry runs blueprints: upload one, deploy it, and let workflows build what it describes.')
    .configureHelp({
      showGlobalOptions: true,
      sortSubcommands: false,
      helpWidth: Math.min(setting.terminal.columns, 120),
    })
    .configureOutput({
      writeOut: (text) => setting.terminal.stdout.write(text),
      writeErr: (text) => setting.terminal.stderr.write(text),
      outputError: (text, write) => write(colors.red(text)),
    })
    .showHelpAfterError('(add --help for its options and examples)')
    .addHelpText('after', epilogue)
    .exitOverride();
  addGlobalOptions(program);
  addServerCommands(program, setting, control);
  addStatusCommands(program, setting);
  addProfileCommands(program, setting);
  addInstallCommands(program, setting);
  addBlueprintCommands(program, setting);
  addDeploymentCommands(program, setting);
  addExecutionCommands(program, setting);
  addOperationCommands(program, setting);
  addNodeCommands(program, setting);
  addPluginCommands(program, setting);
  addSecretCommands(program, setting);
  addAdministrationCommands(program, setting);
  addAgentCommands(program, setting);
  addTableCommands(program, setting);
  addKeyCommands(program, setting, control);
  addCertificateCommands(program, setting);
  addLanguageCommand(program, setting);
  addCompletionCommand(program, setting);
  arrange(program);
  return program;
}

function isHelp(error: CommanderError): boolean {
  return error.code === 'commander.helpDisplayed' || error.code === 'commander.version';
}

/**
 * Runs one command line.
 * @param words what follows the program's name
 * @returns the exit code; every message is already written
 */
export async function runCommandLine(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  control: ManagerControl,
): Promise<number> {
  const program = buildProgram({ terminal, signal }, control);
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      return isHelp(error) ? exitCodes.ok : exitCodes.usage;
    }
    const report = reportError(error);
    if (error instanceof StoppedFollowing) {
      terminal.stderr.write(`${report.message}\n`);
    } else if (signal.aborted && !(error instanceof FailedOutcome)) {
      // a manager that was about to start has begun nothing
      const isStarting = program.args[0] === 'up' || program.args[0] === 'serve';
      terminal.stderr.write(isStarting ? 'Interrupted\n' : 'Interrupted; what the manager has begun goes on there.\n');
      return exitCodes.interrupted;
    } else {
      terminal.stderr.write(`${colors.red('error:')} ${report.message}\n`);
    }
    for (const hint of report.hints) {
      terminal.stderr.write(`  ${hint}\n`);
    }
    if (words.includes('--verbose') && error instanceof Error && error.stack !== undefined) {
      terminal.stderr.write(`${colors.dim(error.stack)}\n`);
    }
    return report.exitCode;
  }
}
