import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../command-tree.ts';
import { packageRoot } from '../../config/package-root.ts';
import { FailedOutcome } from '../errors.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';

/** Version of this program. */
export async function programVersion(): Promise<string> {
  const description = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return description.version;
}

/** `gantry status` and `gantry version`. */
export function addStatusCommands(program: Command, setting: CommandSetting): void {
  program
    .command('status')
    .description('show the state of the manager, its services and its processes')
    .action(
      command(setting, async (invocation) => {
        const client = await invocation.client();
        const [status, version] = await Promise.all([client.status(), client.version()]);
        if (invocation.output.format === 'table') {
          const { url, tenant } = await invocation.profile();
          invocation.output.line(`${url}  ${version.edition} ${version.version}  tenant ${tenant}`);
          const services = Object.entries(status.services).map(([name, service]) => ({ name, ...service }));
          invocation.output.list(services, [
            { title: 'service', value: (service) => service.name },
            { title: 'status', value: (service) => colourStatus(service.status) },
          ]);
          if (status.processes) {
            invocation.output.list(status.processes, [
              { title: 'process', value: (entry) => entry.name },
              { title: 'roles', value: (entry) => entry.roles.join(', ') },
              { title: 'status', value: (entry) => colourStatus(entry.status) },
              { title: 'host', value: (entry) => entry.host },
              { title: 'since', value: (entry) => shortTime(entry.started_at) },
            ]);
          }
        } else {
          invocation.output.data({ ...status, version });
        }
        if (status.status !== 'OK') {
          throw new FailedOutcome(`The manager's status is ${status.status}`);
        }
      }),
    );

  program
    .command('version')
    .option('--client', 'of this program only, without asking the manager')
    .description('show the versions of this program and of the manager')
    .action(
      command(setting, async (invocation, options: { client?: boolean }) => {
        const own = await programVersion();
        if (options.client === true) {
          invocation.output.done(own, { client: own });
          return;
        }
        const client = await invocation.client();
        const manager = await client.version();
        invocation.output.item({ client: own, manager: manager.version, edition: manager.edition }, [
          { title: 'client', value: (item) => item.client },
          { title: 'manager', value: (item) => item.manager },
          { title: 'edition', value: (item) => item.edition },
        ]);
      }),
    );
}
