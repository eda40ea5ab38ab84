import { expect } from 'chai';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { tarGz } from '../unit/files/archives.ts';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

describe('files that clients write', function () {
  this.timeout(60_000);
  let rest: RestService;
  const directory = '/resources/deployments/default_tenant/app/';
  const vera: CallOptions = { user: 'vera', password: 'vera-password' };

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    await rest.call('PUT', '/users', { body: { username: 'vera', password: 'vera-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'vera', role: 'viewer' },
    });
  });

  after(() => rest?.stop());

  function form(name: string, content: string, mtime?: string): CallOptions {
    const lines = [
      '--b',
      `Content-Disposition: form-data; name="file"; filename="${name}"`,
      '',
      content,
      ...(mtime === undefined ? [] : ['--b', 'Content-Disposition: form-data; name="mtime"', '', mtime]),
      '--b--',
      '',
    ];
    return { raw: lines.join('\r\n'), headers: { 'content-type': 'multipart/form-data; boundary=b' } };
  }

  async function text(path: string): Promise<string | number> {
    const answer = await rest.call('GET', path);
    return answer.status === 200 ? answer.text : answer.status;
  }

  it('are taken as they are, with their time, and removed', async () => {
    expect((await rest.call('PUT', `${directory}state/plain.txt`, { raw: 'plain' })).status).to.equal(200);
    expect(await text(`${directory}state/plain.txt`)).to.equal('plain');
    const timed = form('x', 'timed', '2020-02-02T02:02:02+00:00');
    expect((await rest.call('PUT', `${directory}.hidden`, timed)).status).to.equal(200);
    const index = (await rest.call('GET', directory)).json<Record<string, string>>();
    expect(index['.hidden']).to.equal('2020-02-02T02:02:02+00:00');
    expect((await rest.call('DELETE', `${directory}state/plain.txt`)).status).to.equal(200);
    expect(await text(`${directory}state/plain.txt`)).to.equal(404);
    expect((await rest.call('DELETE', `${directory}state/plain.txt`)).status).to.equal(404);
  });

  it('come as archives and go as archives, with an index', async () => {
    const archive = tarGz([
      { name: 'a.txt', content: 'a' },
      { name: 'deep/er/b.txt', content: 'b' },
    ]);
    const put = await rest.call('PUT', `${directory}?extract=yes`, { raw: archive });
    expect([put.status, put.body]).to.deep.equal([200, '']);
    expect(await text(`${directory}deep/er/b.txt`)).to.equal('b');
    expect(await text(`${directory}.hidden`)).to.equal('timed');
    const unpacked = join(rest.folder, 'unpacked');
    await mkdir(unpacked);
    const packed = await rest.download('/file-server-proxy/deployments/default_tenant/app/?archive=1');
    await writeFile(join(rest.folder, 'packed.tar.gz'), packed);
    await extract({ file: join(rest.folder, 'packed.tar.gz'), cwd: unpacked });
    const index = JSON.parse(await readFile(join(unpacked, '.cloudify-index.json'), 'utf8')) as object;
    expect(Object.keys(index).sort()).to.deep.equal(['.hidden', 'a.txt', 'deep/er/b.txt']);
    expect(await readFile(join(unpacked, 'deep/er/b.txt'), 'utf8')).to.equal('b');
  });

  it('are written several at a time', async () => {
    const posted = await rest.call(
      'POST',
      '/file-server-proxy/tenant-resources/default_tenant/shared/',
      form('one.txt', 'one'),
    );
    expect(posted.status, posted.text).to.equal(200);
    expect(await text('/resources/tenant-resources/default_tenant/shared/one.txt')).to.equal('one');
  });

  it('stay inside what belongs to the tenant, links or not', async () => {
    await rest.call('PUT', '/resources/deployments/default_tenant/linked/file', { raw: 'x' });
    const root = join(rest.folder, 'files', 'deployments', 'default_tenant', 'linked');
    await symlink('/tmp', join(root, 'out'));
    const answer = await rest.call('PUT', '/resources/deployments/default_tenant/linked/out/evil', { raw: 'x' });
    expect(answer.status).to.equal(403);
  });

  const refused: [string, string, string, CallOptions, number][] = [
    ['a path that climbs', 'PUT', '/resources/deployments/default_tenant/%2e%2e/x', { raw: 'x' }, 403],
    ['a plugin', 'PUT', '/resources/plugins/some/thing.wgn', { raw: 'x' }, 403],
    ['the packages of agents', 'PUT', '/resources/cloudify_agent/x', { raw: 'x' }, 403],
    ['a tenant that is not there', 'PUT', '/resources/deployments/moon/app/x', { raw: 'x' }, 403],
    ['what a viewer may not', 'PUT', `${directory}x`, { ...vera, raw: 'x' }, 403],
    ['what nobody may', 'PUT', `${directory}x`, { user: '', raw: 'x' }, 401],
    ['the directory of all', 'PUT', '/resources/deployments/default_tenant?extract=1', { raw: 'x' }, 400],
    ['a directory as a file', 'PUT', directory, { raw: 'x' }, 400],
    ['a file where a directory is', 'PUT', `${directory}deep`, { raw: 'x' }, 400],
    ['no archive', 'PUT', `${directory}?extract=1`, { raw: 'x' }, 400],
    [
      'an archive that climbs',
      'PUT',
      `${directory}?extract=1`,
      { raw: tarGz([{ name: '../evil', content: 'x' }]) },
      400,
    ],
    ['to remove a directory', 'DELETE', `${directory}deep`, {}, 400],
    ['a form without file', 'POST', directory, { raw: 'x' }, 400],
    [
      'a damaged form',
      'POST',
      directory,
      { raw: '--b\r\n', headers: { 'content-type': 'multipart/form-data; boundary=b' } },
      400,
    ],
  ];
  for (const [what, method, path, options, status] of refused) {
    it(`are refused: ${what}`, async () => {
      const answer = await rest.call(method, path, options);
      expect(answer.status, answer.text).to.equal(status);
    });
  }
});
