import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from '../command-tree.ts';
import type { CertificateFolder, FolderEntry } from '../../security/certificate-folder.ts';
import { command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { wholeNumber } from './listing.ts';

interface CertificateOptions {
  dir: string;
  host?: string[];
  internalHost?: string[];
  days: number;
  authorityDays: number;
  authority?: boolean;
}

const day = 24 * 3600 * 1000;

async function folderOf(options: CertificateOptions): Promise<CertificateFolder> {
  // only these commands need the library that makes certificates
  const { CertificateFolder: Folder } = await import('../../security/certificate-folder.ts');
  return new Folder(resolve(options.dir), { authority: options.authorityDays, server: options.days }, () => Date.now());
}

function show(invocation: Invocation, entries: readonly FolderEntry[]): void {
  const rows = entries.map((entry) => ({
    name: entry.name,
    subject: entry.subject,
    issuer: entry.issuer,
    hosts: entry.hosts,
    valid_to: entry.validTo.toISOString(),
    days_left: Math.floor((entry.validTo.getTime() - Date.now()) / day),
    file: entry.file,
  }));
  invocation.output.list(rows, [
    { title: 'name', value: (row) => row.name },
    { title: 'subject', value: (row) => row.subject },
    { title: 'hosts', value: (row) => row.hosts.join(' ') },
    { title: 'valid to', value: (row) => row.valid_to.slice(0, 10) },
    { title: 'days left', value: (row) => row.days_left },
    { title: 'file', value: (row) => row.file },
  ]);
}

function withFolder(sub: Command): Command {
  return sub
    .option('--dir <folder>', 'folder of the certificates', 'certs')
    .option('--days <n>', 'how long certificates of servers are valid', wholeNumber, 825)
    .option('--authority-days <n>', 'how long the authority is valid', wholeNumber, 3650);
}

/** `gantry certs`: the certificates of an installation, made and renewed. */
export function addCertificateCommands(program: Command, setting: CommandSetting): void {
  const certs = program.command('certs').description('certificates for TLS, from an authority of your own');
  withFolder(certs.command('create'))
    .option('--host <names...>', 'names and addresses by which people reach the manager; default: this host')
    .option('--internal-host <names...>', 'the same for agents and workers; default: as --host')
    .description('make an authority, and certificates for external and internal listeners')
    .example('gantry certs create --dir /etc/gantry/certs --host manager.example.com 10.0.0.5')
    .addHelpText('after', '\nGive ca.pem to clients (--ca, CLOUDIFY_SSL_TRUST...); keep ca.key apart from the manager.')
    .action(
      command(setting, async (invocation, options: CertificateOptions) => {
        const external = options.host ?? [...new Set([hostname(), 'localhost', '127.0.0.1', '::1'])];
        const folder = await folderOf(options);
        show(invocation, await folder.create({ external, internal: options.internalHost ?? external }));
      }),
    );
  withFolder(certs.command('rotate'))
    .option('--authority', 'a new authority, too; ca.pem then holds both, give it to clients and agents first')
    .description('make new keys and certificates for the same hosts; those of other authorities stay')
    .action(
      command(setting, async (invocation, options: CertificateOptions) => {
        const folder = await folderOf(options);
        const renewed = await folder.rotate(options.authority === true);
        invocation.output.note(`Renewed: ${renewed.join(', ')}. Reload nginx; the manager's own listener follows.`);
        show(invocation, await folder.list());
      }),
    );
  withFolder(certs.command('show'))
    .description('show the certificates and when they end')
    .action(
      command(setting, async (invocation, options: CertificateOptions) => {
        show(invocation, await (await folderOf(options)).list());
      }),
    );
}
