import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { freePort } from '../kit/ports.ts';
import { ServingProgram, runGantry } from '../kit/program.ts';
import { until } from '../kit/until.ts';
import { addressIn, fetchPage } from './hello-world.ts';

const nobody = 65_534;

describe('starting a manager', function () {
  this.timeout(300_000);
  let folder: string;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-starting-'));
    await chmod(folder, 0o755);
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const newFolder = (): string => {
    count += 1;
    return join(folder, `data${count}`);
  };

  describe('where one runs already', () => {
    let first: EmbeddedManager;

    before(async () => {
      first = await startEmbeddedManager({ dataDir: newFolder() });
    });

    after(async () => {
      await first?.stop();
    });

    for (const word of ['up', 'serve']) {
      it(`is refused (gantry ${word}), without affecting the first one`, async () => {
        const { code, stderr } = await runGantry([word, '--data', first.dataDir, '--port', '0']);
        expect(code).to.equal(1);
        expect(stderr).to.match(/Another manager \(.*\) works on this database already\. Stop it first.*--data/);
        expect((await first.client.status()).status).to.equal('OK');
        expect((await first.client.blueprints.list()).items).to.deep.equal([]);
      });
    }

    it('leaves the schema alone when it is up to date', async () => {
      const { code, stdout } = await runGantry(['migrate', '--data', first.dataDir]);
      expect([code, stdout]).to.deep.equal([0, 'The schema is up to date\n']);
    });
  });

  it('says that an address is not one of this machine', async () => {
    const words = ['up', '--data', newFolder(), '--port', '0', '--host', '192.0.2.1', '--no-store-profile'];
    const { code, stderr } = await runGantry(words);
    expect(code).to.equal(1);
    expect(stderr).to.contain('192.0.2.1 is no address of this machine');
  });

  it('says that it cannot write its data', async function () {
    if (process.getuid?.() !== 0) {
      this.skip();
    }
    const data = newFolder();
    const environment = { HOME: folder };
    const program = await ServingProgram.start(['up', '--data', data], { uid: nobody, gid: nobody, environment });
    expect((await program.ended).code).to.equal(1);
    expect(program.lines.join('\n')).to.match(/cannot be used by nobody \(EACCES\)/);
  });

  it('works as an ordinary user', async function () {
    if (process.getuid?.() !== 0) {
      this.skip();
    }
    const home = await mkdtemp(join(folder, 'home-'));
    await chmod(home, 0o777);
    const words = ['up', '--data', join(home, 'var'), '--port', '0'];
    const program = await ServingProgram.start(words, { uid: nobody, gid: nobody, environment: { HOME: home } });
    const { url } = (await program.ready) as { url: string };
    expect(await fetchPage(`${url}/api/v3.1/ok`)).to.equal('"OK"');
    expect(await program.stop()).to.deep.equal({ code: 0, signal: null });
  });

  it('after a crash finds that what it installed still runs, and can take it away', async () => {
    const dataDir = newFolder();
    const first = await startEmbeddedManager({ dataDir });
    const port = await freePort();
    const blueprint = join(packageRoot(), 'blueprints', 'hello-world');
    const installed = await first.gantry('install', blueprint, '-i', `port=${port}`);
    expect(installed.code, installed.stderr).to.equal(0);
    const page = addressIn(await first.client.deployments.outputs('hello-world'));
    first.client.close();
    await first.program.kill();
    expect(await fetchPage(page)).to.match(/hello/i);
    const second = await startEmbeddedManager({ dataDir });
    expect(await fetchPage(page)).to.match(/hello/i);
    expect((await second.gantry('uninstall', 'hello-world')).code).to.equal(0);
    await until('the end of the page', async () => (await fetchPage(page)) === undefined);
    await second.stop();
  });
});
