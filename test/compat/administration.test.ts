import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cfy } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';
import { tarGz } from '../unit/files/archives.ts';

const description = {
  archive_name: 'thing-1.0-py311-none-any.wgn',
  package_name: 'thing',
  package_version: '1.0',
  package_source: 'thing==1.0',
  supported_platform: 'any',
  wheels: [],
};
const yaml = `plugins:
  thing:
    executor: central_deployment_agent
    package_name: thing
    package_version: '1.0'
`;

interface Plugin {
  id: string;
  package_name: string;
  visibility: string;
}

describe('the unmodified cfy, for administrators', function () {
  this.timeout(300_000);
  let manager: TestManager;
  let cfy: Cfy;
  let folder: string;

  before(async () => {
    [manager, cfy, folder] = await Promise.all([
      startEmbeddedManager(),
      Cfy.make(),
      mkdtemp(join(tmpdir(), 'gantry-admin-')),
    ]);
    const { hostname, port } = new URL(manager.url);
    await cfy.must(
      'profiles',
      'use',
      hostname,
      '--rest-port',
      port,
      '-u',
      'admin',
      '-p',
      manager.password,
      '-t',
      'default_tenant',
    );
  });

  after(async () => {
    await cfy?.dispose();
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('uploads, installs, shares, downloads and deletes a plugin', async () => {
    const wagon = join(folder, 'thing-1.0-py311-none-any.wgn');
    const yamlFile = join(folder, 'plugin.yaml');
    await writeFile(wagon, tarGz([{ name: 'thing/package.json', content: JSON.stringify(description) }]));
    await writeFile(yamlFile, yaml);
    await cfy.must('plugins', 'upload', wagon, '-y', yamlFile);
    const [plugin] = await cfy.json<Plugin[]>('plugins', 'list');
    expect(plugin?.package_name).to.equal('thing');
    const id = plugin?.id ?? '';
    await cfy.must('plugins', 'install', id, '--timeout', '60');
    expect(await cfy.must('plugins', 'get', id)).to.match(/installed/);
    await cfy.must('plugins', 'set-visibility', id, '-l', 'global');
    expect((await cfy.json<Plugin>('plugins', 'get', id)).visibility).to.equal('global');
    const target = join(folder, 'downloaded.wgn');
    await cfy.must('plugins', 'download', id, '-o', target);
    expect((await stat(target)).size).to.be.greaterThan(100);
    await cfy.must('plugins', 'delete', id);
    expect(await cfy.json<Plugin[]>('plugins', 'list')).to.deep.equal([]);
  });

  it('lists agents', async () => {
    expect(await cfy.must('agents', 'list')).to.match(/Agents/);
  });

  it('creates, tries, changes and deletes secrets providers, and secrets of them', async () => {
    await cfy.must('secrets', 'providers', 'create', 'here', '-y', 'local');
    expect(await cfy.must('secrets', 'providers', 'list')).to.match(/here[^]*local/);
    expect(await cfy.must('secrets', 'providers', 'get', 'here')).to.contain('local');
    await cfy.must('secrets', 'providers', 'test', 'here', '-y', 'local');
    await cfy.must('secrets', 'create', 'kept', '-s', 'a-value', '--provider', 'here');
    expect(await cfy.must('secrets', 'get', 'kept')).to.match(/a-value/);
    const refused = await cfy.run('secrets', 'providers', 'delete', 'here');
    expect(refused.code).not.to.equal(0);
    await cfy.must('secrets', 'delete', 'kept');
    await cfy.must('secrets', 'providers', 'delete', 'here');
  });

  it('manages users, tenants and user groups', async () => {
    await cfy.must('users', 'create', 'ada', '-p', 'ada-password');
    await cfy.must('tenants', 'create', 'labs');
    await cfy.must('tenants', 'add-user', 'ada', '-t', 'labs', '-r', 'viewer');
    await cfy.must('user-groups', 'create', 'engineers');
    await cfy.must('user-groups', 'add-user', 'ada', '-g', 'engineers');
    await cfy.must('tenants', 'add-user-group', 'engineers', '-t', 'labs', '-r', 'manager');
    expect(await cfy.must('tenants', 'get', 'labs', '--get-data')).to.match(/ada/);
    expect(await cfy.must('users', 'get', 'ada', '--get-data')).to.match(/engineers/);
    await cfy.must('user-groups', 'remove-user', 'ada', '-g', 'engineers');
    await cfy.must('tenants', 'remove-user-group', 'engineers', '-t', 'labs');
    await cfy.must('user-groups', 'delete', 'engineers');
    await cfy.must('tenants', 'remove-user', 'ada', '-t', 'labs');
    await cfy.must('tenants', 'delete', 'labs');
    await cfy.must('users', 'delete', 'ada');
  });

  it('shows the identity providers and the cluster', async () => {
    expect(await cfy.must('ldap', 'status')).to.match(/disabled/);
    expect(await cfy.must('cluster', 'status')).to.match(/manager/);
    expect(await cfy.must('cluster', 'managers', 'list')).to.match(/7\.0\.5/);
    expect(await cfy.must('cluster', 'brokers', 'list')).to.match(/localhost/);
  });

  it('changes what a role may do', async () => {
    const change = ['--role', 'viewer', '--permission', 'site_create'];
    expect(await cfy.must('permissions', 'allow', ...change)).to.contain('Allowed role viewer');
    expect(await cfy.must('permissions', 'disallow', ...change)).to.contain('Disallowed role viewer');
  });

  it('shows and truncates the audit log', async () => {
    expect(await cfy.must('auditlog', 'list')).to.match(/admin/);
    const records = await cfy.json<{ ref_table: string; operation: string }[]>('auditlog', 'list', '-c', 'admin');
    expect(records.some(({ ref_table: table, operation }) => table === 'plugins' && operation === 'delete')).to.equal(
      true,
    );
    expect(await cfy.must('auditlog', 'truncate', '-b', 'now')).to.match(
      /[1-9]\d* audit log entries have been truncated/,
    );
  });
});
