import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import type { Command } from '../command-tree.ts';
import { colors } from '../colors.ts';
import { loadConfig } from '../../config/config.ts';
import type { Config, ConfigOverrides } from '../../config/config.ts';
import { makeLogger } from '../../log/logger.ts';
import type { Logger } from '../../log/logger.ts';
import { UsageError } from '../errors.ts';
import { command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import type { ManagerControl, RunningManager } from '../manager-control.ts';
import { wholeNumber } from './listing.ts';

export interface ServerOptions {
  data?: string;
  port?: number;
  host?: string;
  database?: string;
  amqp?: string;
  adminPasswordFile?: string;
  roles?: string;
  logLevel?: string;
  logFormat?: string;
  logFile?: string;
  storeProfile?: boolean;
}

/** Options of every command that opens database and broker. */
export function withServerOptions(server: Command): Command {
  return server
    .option('--data <dir>', 'folder for database, files, keys and logs (GANTRY_DATA; default ./var)')
    .option('--database <url>', 'postgres:// URL; default: a PostgreSQL of its own below --data (DATABASE_URL)')
    .addOption(new Option('--log-level <level>', 'GANTRY_LOG_LEVEL').choices(['error', 'warn', 'info', 'debug']))
    .addOption(new Option('--log-format <format>', 'GANTRY_LOG_FORMAT').choices(['text', 'json']))
    .option('--log-file <file>', 'log to a file instead of standard error');
}

function withListenOptions(server: Command): Command {
  return withServerOptions(server)
    .option('--port <n>', 'port to listen on; 0 picks a free one (GANTRY_PORT; default 8080)', wholeNumber)
    .option('--host <address>', 'address to listen on (GANTRY_HOST; default 127.0.0.1)')
    .option('--amqp <url>', 'amqp:// URL; default: a broker inside this process (AMQP_URL)')
    .option(
      '--admin-password-file <file>',
      'first password of the user admin; generated and written there when absent',
    );
}

/** Configuration of a command that works on the manager's own files. @throws UsageError */
export function configOf(setting: CommandSetting, options: ServerOptions, logLevel: string | undefined): Config {
  const overrides: ConfigOverrides = {
    ...(options.roles === undefined ? {} : { roles: options.roles.split(',').filter(Boolean) }),
    ...(options.data === undefined ? {} : { dataDir: options.data }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.database === undefined ? {} : { database: options.database }),
    ...(options.amqp === undefined ? {} : { amqp: options.amqp }),
    ...(options.adminPasswordFile === undefined ? {} : { adminPasswordFile: options.adminPasswordFile }),
    ...(options.logLevel === undefined && logLevel === undefined ? {} : { logLevel: options.logLevel ?? logLevel }),
    ...(options.logFormat === undefined ? {} : { logFormat: options.logFormat }),
    ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
  } as ConfigOverrides;
  try {
    return loadConfig(setting.terminal.environment, overrides);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The logger that a configuration asks for. */
export function loggerOf(config: Config): Logger {
  return makeLogger({
    level: config.log.level,
    format: config.log.format,
    ...(config.log.file === undefined ? {} : { file: config.log.file }),
  });
}

/** Serves until the process is told to stop, then stops cleanly. */
async function serve(
  setting: CommandSetting,
  control: ManagerControl,
  config: Config,
  onReady: (manager: RunningManager) => Promise<void>,
): Promise<void> {
  const log = loggerOf(config);
  const manager = await control.start(config, log, setting.signal);
  try {
    await onReady(manager);
    await whenAborted(setting.signal);
  } finally {
    await manager.stop();
  }
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

async function announce(invocation: Invocation, config: Config, manager: RunningManager): Promise<void> {
  const { output } = invocation;
  if (output.format !== 'table') {
    // one line, so that a program that reads lines knows when the manager is ready
    output.line(
      JSON.stringify({
        url: manager.url,
        user: manager.adminUsername,
        passwordFile: manager.adminPasswordFile,
        dataDir: config.dataDir,
        pid: process.pid,
        isNew: manager.isNew,
      }),
    );
    return;
  }
  output.line(`\n${colors.bold(colors.green('Gantry is up'))}  ${manager.url ?? ''}`);
  output.line(`  user      ${manager.adminUsername}`);
  output.line(`  password  in ${manager.adminPasswordFile}`);
  output.line(`  data      ${config.dataDir}`);
  output.line(`  try       gantry status`);
  output.line(`            gantry install blueprints/hello-world`);
  for (const notice of manager.notices) {
    output.line(`  note      ${notice}`);
  }
  output.line(`\nCtrl-C stops it; the next start finds everything again.`);
}

/** Makes the started manager the one that commands of this person speak to, unless another one was chosen. */
async function rememberProfile(invocation: Invocation, manager: RunningManager): Promise<void> {
  if (manager.url === undefined) {
    return;
  }
  try {
    const password = (await readFile(manager.adminPasswordFile, 'utf8')).trimEnd();
    const profile = { url: manager.url, username: manager.adminUsername, password, tenant: 'default_tenant' };
    await invocation.profiles.put('local', profile, 'if-none');
  } catch (error) {
    invocation.output.note(`The profile "local" was not stored: ${error instanceof Error ? error.message : ''}`);
  }
}

function addUp(program: Command, setting: CommandSetting, control: ManagerControl): void {
  withListenOptions(program.command('up'))
    .option('--no-store-profile', 'do not store a profile "local" for this manager')
    .description('start a complete manager in this terminal')
    .example('gantry up', 'gantry up --data /srv/gantry --port 8080 --host 0.0.0.0')
    .addHelpText(
      'after',
      '\nWith --json one JSON object on one line tells when it is ready: url, user, passwordFile, dataDir, pid.',
    )
    .action(
      command(setting, async (invocation, options: ServerOptions) => {
        const quieter = invocation.options.verbose === true ? 'debug' : 'warn';
        const config = configOf(setting, options, setting.terminal.environment['GANTRY_LOG_LEVEL'] ?? quieter);
        await serve(setting, control, config, async (manager) => {
          if (options.storeProfile !== false) {
            await rememberProfile(invocation, manager);
          }
          await announce(invocation, config, manager);
        });
      }),
    );
}

function addServe(program: Command, setting: CommandSetting, control: ManagerControl): void {
  withListenOptions(program.command('serve'))
    .option(
      '--roles <roles>',
      'comma separated: rest, executor, broker, recorder, scheduler (GANTRY_ROLES; default all)',
    )
    .description('run roles of a manager, as a service does')
    .example('gantry serve --roles rest --database postgres://gantry@db/gantry --amqp amqp://gantry@mq')
    .action(
      command(setting, async (invocation, options: ServerOptions) => {
        const config = configOf(setting, options, undefined);
        await serve(setting, control, config, async (manager) => {
          const ready = { url: manager.url, roles: config.roles, name: config.instanceName, pid: process.pid };
          if (invocation.output.format === 'table') {
            invocation.output.line(
              `${ready.name} runs ${ready.roles.join(', ')}${ready.url ? ` at ${ready.url}` : ''}`,
            );
          } else {
            invocation.output.line(JSON.stringify(ready));
          }
        });
      }),
    );
}

/** `gantry up`, `gantry serve` and `gantry migrate`. */
export function addServerCommands(program: Command, setting: CommandSetting, control: ManagerControl): void {
  addUp(program, setting, control);
  addServe(program, setting, control);
  withServerOptions(program.command('migrate'))
    .description('migrate the database schema, then exit')
    .action(
      command(setting, async (invocation, options: ServerOptions) => {
        const config = configOf(setting, options, 'warn');
        const ran = await control.migrate(config, loggerOf(config));
        const sentence = ran.length > 0 ? `Migrated: ${ran.join(', ')}` : 'The schema is up to date';
        invocation.output.done(sentence, { migrations: ran });
      }),
    );
}
