import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/program.ts';
import { fakeTerminal } from '../kit/fake-terminal.ts';
import { tarGz, zip } from '../unit/files/archives.ts';
import { adminPassword, RestService, simpleBlueprint } from './kit.ts';

/** Command and what it has to print. `FOLDER` stands for a temporary one. */
const commands: readonly (readonly [string, RegExp])[] = [
  ['sites create north --location 32.07,34.78', /Site north made/],
  ['sites update north --new-name south', /Site north changed/],
  ['sites get south', /32\.07/],
  ['sites list', /south/],
  ['deployments set-site app --site south', /app is on south/],
  ['deployments set-site app --none', /app is on no site/],
  ['sites delete south', /Site south deleted/],
  ['blueprints labels add env:test,team:web app', /Labels put on app/],
  ['blueprints labels list app', /env[^]*team/],
  ['blueprints labels delete env app', /Labels taken off app/],
  ['deployments labels add tier:gold,tier:rare app', /Labels put on app/],
  ['deployments labels delete tier:rare app', /Labels taken off app/],
  ['deployments labels list app --json', /"value": "gold"/],
  ['deployments filters create gold --label-rule tier=[gold,silver] --label-rule tier!=rare', /Filter gold made/],
  ['deployments filters update gold --attribute-rule created_by=admin', /Filter gold changed/],
  ['deployments filters get gold --json', /created_by/],
  ['deployments filters list', /gold/],
  ['deployments filters delete gold', /Filter gold deleted/],
  ['blueprints filters list', /No filters\./],
  ['deployments groups create fleet -b app', /Group fleet created/],
  ['deployments groups labels add team:web fleet', /Labels put on fleet/],
  ['deployments groups labels list fleet', /team[^]*web/],
  ['deployments groups labels delete team fleet', /Labels taken off fleet/],
  ['deployments groups labels list fleet', /No labels\./],
  ['deployments groups delete fleet', /Group fleet deleted/],
  ['deployments list --label tier:gold', /app/],
  ['deployments list --label tier:silver', /No deployments\./],
  ['blueprints list --label-rule team=web --attribute-rule created_by=admin', /app/],
  ['deployments status-list', /app/],
  ['workflows list -d app', /install[^]*uninstall/],
  ['workflows get install -d app', /parameters/],
  ['groups list -d app', /No groups\./],
  ['executions delete --to 2000-01-01', /deleted *0/],
  ['events delete app --to 2000-01-01 --include-logs', /deleted *0/],
  ['blueprints set-owner app admin', /app belongs to admin/],
  ['blueprints set-global app', /app is global/],
  ['deployments set-visibility app global', /app is global/],
  [
    'deployments schedule create app heal --since 2100-01-01T03:00:00 --recurrence 1days --count 3',
    /Schedule heal made/,
  ],
  ['deployments schedule update app heal --count 5', /Schedule heal changed/],
  ['deployments schedule disable app heal', /Schedule heal disabled/],
  ['deployments schedule enable app heal', /Schedule heal enabled/],
  ['deployments schedule get app heal --json', /"count": 5/],
  ['deployments schedule list', /heal/],
  ['deployments schedule summary workflow_id', /heal/],
  ['deployments schedule delete app heal', /Schedule heal deleted/],
  ['deployments summary blueprint_id --by visibility', /app[^]*global/],
  ['deployments modifications list app', /No modifications\./],
  ['executions summary status', /terminated|completed/],
  ['nodes get app server', /cloudify\.nodes\.Root/],
  ['nodes summary deployment_id', /app/],
  ['users create ann --new-password-file FOLDER/password', /ann/],
  ['users set-role ann sys_admin', /ann is sys_admin/],
  ['user-groups create crew', /User group crew made/],
  ['user-groups add-user ann crew', /ann is in crew/],
  ['user-groups get crew', /ann/],
  ['user-groups list', /crew/],
  ['user-groups set-role crew default', /Users of crew are default/],
  ['tenants create other', /other/],
  ['tenants add-user-group other crew -r viewer', /crew is now viewer in other/],
  ['tenants update-user-group other crew -r user', /crew is now user in other/],
  ['tenants get other', /crew/],
  ['tenants remove-user-group other crew', /crew removed from other/],
  ['tenants add-user other ann -r viewer', /ann/],
  ['tenants update-user other ann -r user', /ann is now user in other/],
  ['tenants remove-user other ann', /ann/],
  ['user-groups remove-user ann crew', /ann is no longer in crew/],
  ['user-groups delete crew', /User group crew deleted/],
  ['permissions allow viewer site_create', /viewer has site_create/],
  ['permissions list --role viewer', /site_create/],
  ['permissions disallow viewer site_create', /viewer has no site_create/],
  ['secrets create box --file FOLDER/password', /box/],
  ['secrets export FOLDER/secrets.json --plain', /Secrets written/],
  ['secrets delete box', /box/],
  ['secrets import FOLDER/secrets.json --plain', /Secrets of .* read/],
  ['secrets set-global box', /box is global/],
  ['secrets providers list', /No providers\./],
  ['config list', /value/],
  ['config update marketplace_api_url http://a/;b', /marketplace_api_url is/],
  ['maintenance-mode status', /deactivated/],
  ['managers list', /hostname/],
  ['cluster status', /OK|FAIL|DEGRADED/i],
  ['cluster brokers add mq-2 10.0.0.12 --port 5671', /mq-2/],
  ['cluster brokers list', /mq-2/],
  ['cluster brokers update mq-2 --network edge=192.0.2.12', /edge: 192\.0\.2\.12/],
  ['cluster brokers get mq-2', /edge: 192\.0\.2\.12/],
  ['cluster brokers remove mq-2', /Broker mq-2 removed/],
  ['cluster db-nodes list', /No database servers/],
  ['cluster db-nodes update', /host/],
  ['cluster db-nodes list', /host/],
  ['agents list', /No agents\./],
  ['audit list --size 3', /admin/],
  ['audit truncate --before 2000-01-01', /deleted/],
  ['ldap status', /state/],
  ['plugins history', /No updates of plugins\./],
  ['idp get', /provider/],
  ['snapshots list', /No snapshots\./],
  ['snapshots status', /status/],
  ['log-bundles list', /No log bundles\./],
];

describe('commands that are one request', function () {
  this.timeout(60_000);
  let rest: RestService;
  let folder: string;

  before(async () => {
    rest = await RestService.start();
    folder = await mkdtemp(join(tmpdir(), 'gantry-commands-'));
    await writeFile(join(folder, 'password'), 'a good password 1');
    await rest.upload('app', { 'blueprint.yaml': simpleBlueprint });
    await rest.call('PUT', '/deployments/app', { body: { blueprint_id: 'app' } });
  });

  after(async () => {
    await rest?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function gantry(words: readonly string[]): Promise<{ code: number; output: string; errors: string }> {
    const terminal = fakeTerminal({
      environment: {
        GANTRY_PROFILE_DIR: folder,
        GANTRY_URL: rest.origin,
        GANTRY_USERNAME: 'admin',
        GANTRY_PASSWORD: adminPassword,
      },
    });
    const control = { start: refuse, migrate: refuse, keys: refuse };
    const code = await runCommandLine(words, terminal, new AbortController().signal, control);
    return { code, output: terminal.output(), errors: terminal.errors() };
  }

  for (const [line, prints] of commands) {
    it(`gantry ${line}`, async () => {
      const words = line.split(' ').map((word) => word.replace('FOLDER', folder));
      const { code, output, errors } = await gantry(words);
      expect(code, errors).to.equal(0);
      expect(output).to.match(prints);
    });
  }

  it('label and download what plugins have', async () => {
    const archive = tarGz([{ name: 'tools/package.json', content: '{"name": "tools", "version": "1.0.0"}' }]);
    const yaml =
      'plugins: {tools: {executor: central_deployment_agent, package_name: tools, package_version: 1.0.0}}\n';
    await writeFile(
      join(folder, 'tools.zip'),
      zip([
        { name: 'tools.wgn', content: archive },
        { name: 'plugin.yaml', content: yaml },
      ]),
    );
    const run = async (...words: string[]): Promise<string> => {
      const { code, output, errors } = await gantry(['plugins', ...words]);
      expect(code, `${words.join(' ')}: ${errors}`).to.equal(0);
      return output;
    };
    const { id } = JSON.parse(await run('upload', join(folder, 'tools.zip'), '--json')) as { id: string };
    for (const labels of ['blueprint-labels', 'deployment-labels', 'resource-tags']) {
      await run(labels, 'add', 'uses:tools,team:web', id);
      expect(await run(labels, 'list', id))
        .to.match(/uses │ tools/)
        .and.match(/team │ web/);
      await run(labels, 'delete', 'uses', id);
      expect(await run(labels, 'list', id)).to.not.contain('uses');
    }
    await run('download', id, '-o', join(folder, 'downloaded.wgn'));
    expect(await readFile(join(folder, 'downloaded.wgn'))).to.deep.equal(archive);
    await run('download-yaml', id, '-o', join(folder, 'downloaded.yaml'));
    expect(await readFile(join(folder, 'downloaded.yaml'), 'utf8')).to.contain('tools');
    const refused = await gantry(['plugins', 'download', 'nothing', '-o', join(folder, 'nothing.wgn')]);
    expect(refused.code).to.equal(3);
    expect((await readdir(folder)).filter((name) => name.startsWith('nothing'))).to.deep.equal([]);
  });

  it('reports refusals of the manager', async () => {
    const { code, errors } = await gantry(['sites', 'get', 'nowhere']);
    expect(code).to.equal(3);
    expect(errors).to.match(/nowhere/);
  });

  it('names a rule that cannot be read', async () => {
    const { code, errors } = await gantry(['deployments', 'filters', 'create', 'f', '--label-rule', 'nonsense']);
    expect(code).to.equal(2);
    expect(errors).to.contain('"nonsense" is not a rule');
  });
});

const refuse = (): Promise<never> => Promise.reject(new Error('Nothing is started here'));
