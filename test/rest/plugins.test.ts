import { expect } from 'chai';
import { hostname } from 'node:os';
import { until } from '../kit/until.ts';
import { tarGz, zip } from '../unit/files/archives.ts';
import { RestService, simpleBlueprint } from './kit.ts';

const wagon = (version: string): Buffer =>
  tarGz([
    {
      name: 'thing/package.json',
      content: JSON.stringify({
        archive_name: `thing-${version}-py311-none-any.wgn`,
        package_name: 'thing',
        package_version: version,
        package_source: `thing==${version}`,
        supported_platform: 'any',
        supported_python_versions: ['py311'],
        build_server_os_properties: {
          distribution: 'debian',
          distribution_version: '12',
          distribution_release: 'bookworm',
        },
        wheels: ['thing.whl'],
      }),
    },
    { name: 'thing/wheels/thing.whl', content: 'wheel' },
  ]);

const yaml = (version: string): string => `plugins:
  thing:
    executor: central_deployment_agent
    package_name: thing
    package_version: '${version}'
node_types:
  thing.Node:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: thing.module.create
blueprint_labels:
  made-of:
    values: [things]
resource_tags:
  owner: nobody
`;

describe('plugins', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
  });

  after(() => rest?.stop());

  async function upload(version: string, query = ''): Promise<Record<string, unknown>> {
    const archive = zip([
      { name: `thing-${version}.wgn`, content: wagon(version) },
      { name: 'plugin.yaml', content: yaml(version) },
      { name: 'icon.png', content: 'png' },
    ]);
    const answer = await rest.call('POST', `/plugins?${query}`, { raw: archive });
    expect(answer.status, answer.text).to.equal(201);
    return answer.json<Record<string, unknown>>();
  }

  it('stores a package of a wagon and its YAML, and gives both back', async () => {
    const plugin = await upload('1.0.0', 'title=Thing&visibility=tenant');
    expect(plugin).to.include({
      package_name: 'thing',
      package_version: '1.0.0',
      archive_name: 'thing-1.0.0-py311-none-any.wgn',
      distribution: 'debian',
      title: 'Thing',
      yaml_url_path: 'plugin:thing?version=1.0.0&distribution=debian',
    });
    expect(plugin['blueprint_labels']).to.deep.equal({ 'made-of': ['things'] });
    const id = String(plugin['id']);
    expect(plugin['yaml_files_paths']).to.deep.equal([`plugins/${id}/plugin.yaml`]);
    expect((await rest.call('GET', `/resources/plugins/${id}/plugin.yaml`)).text).to.equal(yaml('1.0.0'));
    const download = await rest.call('GET', `/plugins/${id}/archive`);
    expect(download.headers.get('content-disposition')).to.contain('thing-1.0.0-py311-none-any.wgn');
    expect(Number(download.headers.get('content-length'))).to.equal(wagon('1.0.0').length);
  });

  it('lets blueprints import the newest version that fits', async () => {
    await upload('1.2.0');
    await upload('2.0.0');
    const blueprint = simpleBlueprint
      .replace('  - cloudify/types/types.yaml', '  - cloudify/types/types.yaml\n  - plugin:thing?version=>=1.0,<2')
      .replace('type: cloudify.nodes.Root', 'type: thing.Node');
    const answer = await rest.upload('with-plugin', { 'blueprint.yaml': blueprint });
    expect(answer.status, answer.text).to.equal(201);
    expect(answer.text).to.contain('"package_version":"1.2.0"');
    const none = await rest.upload('without', { 'blueprint.yaml': blueprint.replace('>=1.0,<2', '>=3') });
    expect(none.text).to.match(/Couldn't find plugin \\"thing\\"/);
  });

  it('deletes plugins that no blueprint uses, files too', async () => {
    const idOf = async (version: string): Promise<string> => {
      const list = await rest.call('GET', `/plugins?package_version=${version}&package_name=thing`);
      return list.json<{ items: { id: string }[] }>().items[0]?.id ?? '';
    };
    const used = await idOf('1.2.0');
    const refusal = await rest.call('DELETE', `/plugins/${used}`, { body: { force: false } });
    expect([refusal.status, refusal.json<{ error_code: string }>().error_code]).to.deep.equal([405, 'plugin_in_use']);
    const unused = await idOf('2.0.0');
    expect((await rest.call('DELETE', `/plugins/${unused}`)).status).to.equal(204);
    expect((await rest.call('GET', `/plugins/${unused}`)).status).to.equal(404);
    expect((await rest.call('GET', `/resources/plugins/${unused}/plugin.yaml`)).status).to.equal(404);
  });

  it('serves the YAML file for a language version, and everything as one archive', async () => {
    const old = yaml('3.0.0').replace('thing.Node', 'thing.OldNode');
    const archive = zip([
      { name: 'thing.wgn', content: wagon('3.0.0') },
      { name: 'plugin_1_3.yaml', content: old },
      { name: 'plugin_1_5.yaml', content: yaml('3.0.0') },
      { name: 'icon.png', content: 'picture' },
      { name: 'notes.txt', content: 'left out' },
    ]);
    const { id } = (await rest.call('POST', '/plugins', { raw: archive })).json<{ id: string }>();
    const newest = await rest.call('GET', `/plugins/${id}/yaml`);
    expect([newest.text, newest.headers.get('content-length')]).to.deep.equal([
      yaml('3.0.0'),
      String(yaml('3.0.0').length),
    ]);
    expect((await rest.call('GET', `/plugins/${id}/yaml?dsl_version=1_4`)).text).to.equal(old);
    expect((await rest.call('GET', `/plugins/${id}/yaml?dsl_version=cloudify_dsl_1_2`)).status).to.equal(404);
    expect((await rest.call('GET', `/plugins/${id}/yaml?dsl_version=../..`)).status).to.equal(400);
    expect((await rest.call('GET', `/resources/plugins/${id}/icon.png`)).text).to.equal('picture');
    expect((await rest.call('GET', `/resources/plugins/${id}/notes.txt`)).status).to.equal(404);
    const full = await rest.download(`/plugins/${id}/archive?full_archive=true`);
    const again = await rest.call('DELETE', `/plugins/${id}`);
    expect(again.status).to.equal(204);
    const restored = await rest.call('POST', `/plugins?id=${id}&uploaded_at=2020-02-02T02:02:02Z&created_by=admin`, {
      raw: full,
    });
    expect(restored.status, restored.text).to.equal(201);
    expect(restored.json<object>()).to.include({ id, uploaded_at: '2020-02-02T02:02:02.000Z', created_by: 'admin' });
  });

  it('takes a caravan of several plugins, all or none', async () => {
    const caravan = (versions: string[]): Buffer =>
      tarGz([
        {
          name: 'caravan/METADATA',
          content: JSON.stringify(Object.fromEntries(versions.map((version) => [`${version}.wgn`, `${version}.yaml`]))),
        },
        ...versions.flatMap((version) => [
          { name: `caravan/${version}.wgn`, content: wagon(version) },
          { name: `caravan/${version}.yaml`, content: yaml(version) },
        ]),
      ]);
    const refusal = await rest.call('POST', '/plugins', { raw: caravan(['7.0.0', '1.2.0']) });
    expect(refusal.status).to.equal(409);
    expect((await rest.call('GET', '/plugins?package_version=7.0.0')).json<{ items: unknown[] }>().items).to.deep.equal(
      [],
    );
    const answer = await rest.call('POST', '/plugins', { raw: caravan(['7.0.0', '7.1.0']) });
    expect(answer.status, answer.text).to.equal(201);
    const { items, metadata } = answer.json<{
      items: { package_version: string; yaml_files_paths: string[] }[];
      metadata: { pagination: { total: number } };
    }>();
    expect(items.map((item) => item.package_version)).to.deep.equal(['7.0.0', '7.1.0']);
    expect(items.map((item) => item.yaml_files_paths.length)).to.deep.equal([1, 1]);
    expect(metadata.pagination.total).to.equal(2);
  });

  it('installs on managers when asked, and says where it is installed', async () => {
    const { id } = (await upload('8.0.0')) as { id: string };
    const managers = [hostname()];
    const asked = await rest.call('POST', `/plugins/${id}`, { body: { action: 'install', managers } });
    expect(asked.status, asked.text).to.equal(200);
    const state = await until('the plugin to be installed', async () => {
      const plugin = (await rest.call('GET', `/plugins/${id}`)).json<{ installation_state: { state: string }[] }>();
      const [first] = plugin.installation_state;
      return first?.state === 'installed' ? first : undefined;
    });
    expect(state).to.deep.equal({ state: 'installed', error: null, manager: hostname(), agent: null });
    const report = { manager: hostname(), state: 'error', error: 'lost' };
    const reported = await rest.call('PUT', `/plugins/${id}`, { body: report });
    expect(reported.json<{ installation_state: unknown[] }>().installation_state).to.deep.equal([
      { ...report, agent: null },
    ]);
  });

  it('changes labels and owner', async () => {
    const { id } = (await upload('9.0.0')) as { id: string };
    await rest.call('PUT', '/users', { body: { username: 'owner', password: 'owner-password' } });
    const body = {
      blueprint_labels: { a: ['b'] },
      labels: { c: ['d', 'e'] },
      resource_tags: { f: 'g' },
      creator: 'owner',
    };
    const answer = await rest.call('PATCH', `/plugins/${id}`, { body });
    expect(answer.status, answer.text).to.equal(200);
    const { creator, ...rest_ } = body;
    expect(answer.json<object>()).to.deep.include({ ...rest_, created_by: creator });
    const nobody = await rest.call('PATCH', `/plugins/${id}`, { body: { creator: 'nobody' } });
    expect(nobody.status).to.equal(404);
  });

  it('shows updates of plugins that were restored', async () => {
    await rest.database.query(
      `insert into plugins_updates (id, tenant_id, creator_id, visibility, state, original_blueprint_id, deployments_to_update)
       select 'old', 0, 0, 'tenant', 'successful', storage_id, '["d"]' from blueprints where id = 'with-plugin'`,
    );
    const list = (await rest.call('GET', '/plugins-updates')).json<{ items: object[] }>();
    const one = (await rest.call('GET', '/plugins-updates/old')).json<object>();
    expect(one).to.deep.include({
      id: 'old',
      state: 'successful',
      blueprint_id: 'with-plugin',
      execution_id: null,
      deployments_to_update: ['d'],
      forced: false,
    });
    expect(list.items).to.deep.equal([one]);
    expect((await rest.call('GET', '/plugins-updates/new')).status).to.equal(404);
  });

  const refusedCalls: [string, string, object, number, string, RegExp][] = [
    ['POST', 'an unknown action', { action: 'eat', managers: ['x'] }, 400, 'unknown_action', /eat/],
    ['POST', 'to install nowhere', { action: 'install' }, 400, 'bad_parameters_error', /Name managers or agents/],
    [
      'POST',
      'unknown managers',
      { action: 'install', managers: ['moon'] },
      404,
      'not_found_error',
      /managers do not exist: moon/,
    ],
    [
      'POST',
      'unknown agents',
      { action: 'install', agents: ['bond'] },
      404,
      'not_found_error',
      /agents do not exist: bond/,
    ],
    ['PUT', 'a state of nowhere', { state: 'installed' }, 409, 'conflict_error', /either a manager or an agent/],
    ['PUT', 'a state of everywhere', { state: 'installed', manager: 'a', agent: 'b' }, 409, 'conflict_error', /either/],
    ['PUT', 'an unknown state', { state: 'lost', manager: 'a' }, 400, 'bad_parameters_error', /Valid states are/],
    ['PUT', 'a state of an unknown agent', { state: 'installed', agent: 'bond' }, 404, 'not_found_error', /bond/],
    ['PATCH', 'an unknown member', { colour: 'red' }, 400, 'bad_parameters_error', /Unknown parameters: colour/],
    ['PATCH', 'labels that are none', { labels: { a: 'b' } }, 400, 'bad_parameters_error', /labels/],
  ];
  for (const [method, what, body, status, code, message] of refusedCalls) {
    it(`refuses ${what}`, async () => {
      const { items } = (await rest.call('GET', '/plugins?_size=1')).json<{ items: { id: string }[] }>();
      const answer = await rest.call(method, `/plugins/${items[0]?.id}`, { body });
      expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([status, code]);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }

  const refused: [string, () => Buffer, RegExp][] = [
    [
      'a caravan that names what it has not',
      () => tarGz([{ name: 'c/METADATA', content: '{"a.wgn": "a.yaml"}' }]),
      /no file a\.wgn/,
    ],
    [
      'a caravan that reaches outside',
      () => tarGz([{ name: 'c/METADATA', content: '{"../../x.wgn": "a.yaml"}' }]),
      /outside of the caravan/,
    ],
    ['the same archive again', () => wagon('1.2.0'), /already exists/],
    ['an archive without a plugin', () => zip([{ name: 'plugin.yaml', content: 'a: b' }]), /must include one wgn file/],
    [
      'two plugins in one',
      () =>
        zip([
          { name: 'a.wgn', content: wagon('5') },
          { name: 'b.wgn', content: wagon('6') },
        ]),
      /must include one wgn file/,
    ],
    [
      'a wagon without description',
      () => zip([{ name: 'a.wgn', content: tarGz([{ name: 'x/y' }]) }]),
      /no package\.json/,
    ],
    ['a description that is not JSON', () => tarGz([{ name: 'x/package.json', content: '{' }]), /not JSON/],
    ['a hostile wagon', () => zip([{ name: 'a.wgn', content: tarGz([{ name: '../x' }]) }]), /outside/],
    ['no archive at all', () => Buffer.from('x'), /unrecognized format/],
  ];
  for (const [what, make, message] of refused) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call('POST', '/plugins', { raw: make() });
      expect(answer.status, answer.text).to.be.oneOf([400, 409]);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }
});
