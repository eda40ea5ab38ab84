import { expect } from 'chai';
import { PostgresServer } from '../kit/postgres-server.ts';
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
  let postgres: PostgresServer;
  let rest: RestService;

  before(async () => {
    postgres = await PostgresServer.start();
    rest = await RestService.start(postgres);
  });

  after(async () => {
    await rest?.stop();
    await postgres?.stop();
  });

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

  const refused: [string, () => Buffer, RegExp][] = [
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
