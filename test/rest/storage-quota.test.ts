import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { until } from '../kit/until.ts';
import { tarGz, zip } from '../unit/files/archives.ts';
import { blueprintZip, RestService, simpleBlueprint } from './kit.ts';
import type { Answer } from './kit.ts';

const kilobyte = 1000;
const directory = '/resources/deployments/default_tenant/app/';
const proxy = '/api/v3.1/file-server-proxy/deployments/default_tenant/app/';

function wagon(name: string, filling: number): Buffer {
  const description = {
    archive_name: `${name}-1-py311-none-any.wgn`,
    package_name: name,
    package_version: '1',
    package_source: `${name}==1`,
    supported_platform: 'any',
    supported_python_versions: ['py311'],
    build_server_os_properties: {},
    wheels: [],
  };
  const plugin = `plugins:\n  ${name}: {executor: central_deployment_agent, package_name: ${name}, package_version: '1'}\n`;
  return zip([
    {
      name: `${name}.wgn`,
      content: tarGz([
        { name: `${name}/package.json`, content: JSON.stringify(description) },
        { name: `${name}/filling`, content: randomBytes(filling) },
      ]),
    },
    { name: 'plugin.yaml', content: plugin },
  ]);
}

function form(files: Readonly<Record<string, Buffer>>): FormData {
  const data = new FormData();
  for (const [name, content] of Object.entries(files)) {
    data.append(name, new Blob([new Uint8Array(content)]), name);
  }
  return data;
}

describe('the storage quota', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start({ environment: { GANTRY_MAX_UPLOAD_BYTES: '20000000' } });
  });

  after(() => rest?.stop());

  async function used(): Promise<number> {
    const answer = await rest.call('GET', '/tenants/default_tenant/quotas');
    return answer.json<{ used: { storage_bytes: number } }>().used.storage_bytes;
  }

  /** Leaves room for so many bytes; undefined = any number. */
  async function leave(bytes: number | undefined): Promise<void> {
    const storageBytes = bytes === undefined ? null : (await used()) + bytes;
    await rest.call('PUT', '/tenants/default_tenant/quotas', { body: { storage_bytes: storageBytes }, tenant: null });
  }

  afterEach(() => leave(undefined));

  function put(name: string, bytes: number, prefix = directory): Promise<Answer> {
    return rest.call('PUT', `${prefix}${name}`, { raw: randomBytes(bytes) });
  }

  async function send(method: string, url: string, body: FormData): Promise<{ status: number; text: string }> {
    const authorization = `Basic ${Buffer.from('admin:a-password-for-tests').toString('base64')}`;
    const headers = { authorization, tenant: 'default_tenant' };
    const response = await fetch(rest.origin + url, { method, headers, body });
    return { status: response.status, text: await response.text() };
  }

  const larger = (): Record<string, () => Promise<{ status: number; text: string }>> => ({
    'a file': () => put('large', 500 * kilobyte),
    'a file, past nginx': () => put('large', 500 * kilobyte, proxy),
    'a file of a form': () => send('PUT', `${directory}large`, form({ large: randomBytes(500 * kilobyte) })),
    'the second file of a form': () =>
      send('POST', directory, form({ first: randomBytes(80 * kilobyte), second: randomBytes(80 * kilobyte) })),
    'an archive that is extracted': () =>
      rest.call('PUT', `${directory}?extract=1`, {
        raw: tarGz([{ name: 'large', content: randomBytes(500 * kilobyte) }]),
      }),
    'an archive that grows when it is extracted': () =>
      rest.call('PUT', `${directory}?extract=1`, {
        raw: tarGz([{ name: 'large', content: 'x'.repeat(150 * kilobyte) }]),
      }),
    'a blueprint': () =>
      rest.upload('large', { 'blueprint.yaml': simpleBlueprint, filling: randomBytes(500 * kilobyte).toString('hex') }),
    'a plugin': () => rest.call('POST', '/plugins', { raw: wagon('large', 500 * kilobyte) }),
    'a caravan of plugins that fit one by one': () =>
      rest.call('POST', '/plugins', {
        raw: tarGz([
          { name: 'caravan/METADATA', content: 'one.wgn: one.yaml\ntwo.wgn: two.yaml\n' },
          { name: 'caravan/one.wgn', content: randomBytes(80 * kilobyte) },
          { name: 'caravan/two.wgn', content: randomBytes(80 * kilobyte) },
        ]),
      }),
    'a snapshot': () =>
      rest.call('PUT', '/snapshots/large/archive', { raw: zip([{ name: 'x', content: randomBytes(500 * kilobyte) }]) }),
  });

  for (const what of Object.keys(larger())) {
    it(`refuses ${what}, with nothing left behind`, async () => {
      await leave(100 * kilobyte);
      const before = await used();
      const answer = await larger()[what]!();
      expect(answer.status, answer.text).to.equal(403);
      expect(JSON.parse(answer.text)).to.have.property('error_code', 'quota_exceeded_error');
      expect(answer.text).to.contain('gantry tenants quota default_tenant');
      expect(await used()).to.equal(before);
      expect(await readdir(join(rest.folder, 'files', '.incoming'))).to.deep.equal([]);
      const [rows] = await rest.database.query<{ count: number }>(
        `select (select count(*) from blueprints) + (select count(*) from plugins) + (select count(*) from snapshots) as count`,
      );
      expect(rows?.count).to.equal(0);
    });
  }

  it('counts replaced files by the difference in size', async () => {
    expect((await put('kept', 90 * kilobyte)).status).to.equal(200);
    await leave(20 * kilobyte);
    expect((await put('kept', 100 * kilobyte)).status).to.equal(200);
    expect((await put('other', 15 * kilobyte)).status).to.equal(403);
    expect((await put('other', 10 * kilobyte)).status).to.equal(200);
    expect((await put('kept', 1 * kilobyte)).status).to.equal(200);
    await leave(0);
    expect((await put('other', 9 * kilobyte)).status).to.equal(200);
  });

  it('holds when many uploads arrive at once', async () => {
    await leave(35 * kilobyte);
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => put(`parallel-${index}`, 10 * kilobyte)));
    expect(answers.filter(({ status }) => status === 200)).to.have.length(3);
    const archive = (id: string): Buffer => blueprintZip(id, { 'blueprint.yaml': simpleBlueprint });
    await leave(archive('one').length * 2 + 10);
    const uploads = await Promise.all(
      ['one', 'two', 'three', 'four'].map((id) =>
        rest.call('PUT', `/blueprints/${id}?async_upload=true`, { raw: archive(id) }),
      ),
    );
    expect(uploads.filter(({ status }) => status === 201).length).to.be.within(1, 2);
    expect(uploads.filter(({ status }) => status === 403).length).to.be.within(2, 3);
    const isUnderWay = `select from blueprints where state not like 'failed%' and state <> 'uploaded'`;
    await until('the uploads', async () => (await rest.database.query(isUnderWay)).length === 0);
  });

  it('counts the unpacked size of a blueprint', async () => {
    const filling = 'x'.repeat(100 * kilobyte);
    const archive = tarGz([
      { name: 'app/blueprint.yaml', content: simpleBlueprint },
      { name: 'app/filling', content: filling },
    ]);
    await leave(archive.length + 50 * kilobyte);
    const before = await used();
    const answer = await rest.call('PUT', '/blueprints/dense', { raw: archive });
    expect(answer.status).to.equal(400);
    expect(answer.text).to.contain('bytes on the file server');
    expect(await used()).to.equal(before);
    await leave(archive.length + 110 * kilobyte);
    expect((await rest.call('PUT', '/blueprints/dense', { raw: archive })).status).to.equal(201);
  });

  it('is measured while no transaction is open', async () => {
    const { files } = rest.services;
    const measure = files.tenantBytes.bind(files);
    const open: number[] = [];
    files.tenantBytes = async (...given) => {
      const [row] = await rest.database.query<{ count: number }>(
        `select count(*) as count from pg_stat_activity
         where datname = current_database() and state = 'idle in transaction'`,
      );
      open.push(row?.count ?? 0);
      return measure(...given);
    };
    try {
      await leave(1000 * kilobyte);
      const raw = zip([{ name: 'x', content: randomBytes(kilobyte) }]);
      const brought = [
        await put('small', kilobyte),
        await rest.upload('small', { 'blueprint.yaml': simpleBlueprint }),
        await rest.call('POST', '/plugins', { raw: wagon('small', kilobyte) }),
        await rest.call('PUT', '/snapshots/small/archive', { raw }),
      ];
      expect(brought.map(({ status }) => status)).to.deep.equal([200, 201, 201, 201]);
      expect(open.length).to.be.greaterThan(brought.length);
      expect(new Set(open)).to.deep.equal(new Set([0]));
    } finally {
      files.tenantBytes = measure;
    }
  });

  it('counts what others brought since it was measured', async () => {
    const { files } = rest.services;
    const measure = files.tenantBytes.bind(files);
    await leave(15 * kilobyte);
    let other: Promise<Answer> | undefined;
    files.tenantBytes = async (...given) => {
      const bytes = await measure(...given);
      // the gate of the second file has been measured when the first one comes
      files.tenantBytes = measure;
      other = put('faster', 10 * kilobyte);
      await other;
      return bytes;
    };
    try {
      const late = await put('late', 10 * kilobyte);
      expect([(await other)?.status, late.status]).to.deep.equal([200, 403]);
    } finally {
      files.tenantBytes = measure;
    }
  });

  it('counts snapshots, and starts none when the quota is used up', async () => {
    const before = await used();
    const raw = zip([{ name: 'x', content: randomBytes(10 * kilobyte) }]);
    expect((await rest.call('PUT', '/snapshots/kept/archive', { raw })).status).to.equal(201);
    expect(await used()).to.equal(before + raw.length);
    await leave(0);
    const again = await rest.call('PUT', '/snapshots/kept/archive', { raw });
    expect(again.status, again.text).to.equal(201);
    const made = await rest.call('PUT', '/snapshots/made', { body: {} });
    expect(made.json<object>(), made.text).to.include({ error_code: 'quota_exceeded_error' });
  });
});
