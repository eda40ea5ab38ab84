import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { deploy, mustRun, noopBlueprint, uploadBlueprint } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { fetchPage, proveHelloWorld } from './hello-world.ts';

describe('an embedded manager', function () {
  this.timeout(300_000);
  let manager: EmbeddedManager;

  before(async () => {
    manager = await startEmbeddedManager();
  });

  after(async () => {
    await manager?.stop();
  });

  it('answers as soon as it says that it is up', async () => {
    expect((await manager.client.status()).status).to.equal('OK');
    expect(await fetchPage(`${manager.url}/api/v3.1/ok`)).to.equal('"OK"');
  });

  it('generates a password that only its owner can read', async () => {
    expect(manager.password.length).to.be.greaterThan(11);
    expect((await stat(join(manager.dataDir, 'admin-password'))).mode & 0o077).to.equal(0);
  });

  it('installs the example and takes it away', async () => {
    await proveHelloWorld(manager, 'hello-world');
  });

  it('deploys for another deployment, whose capabilities it uses', async () => {
    const folder = join(packageRoot(), 'blueprints', 'capabilities');
    const run = async (...words: string[]): Promise<void> => {
      const { code, stderr } = await manager.gantry(...words);
      expect(code, stderr).to.equal(0);
    };
    const consumer = join(folder, 'consumer.yaml');
    await run('install', join(folder, 'provider.yaml'), '-b', 'provider', '-d', 'provider');
    await run('install', consumer, '-b', 'consumer', '-d', 'consumer', '-i', 'provider=provider');
    const { key } = await manager.client.deployments.outputs('consumer');
    expect(key).to.equal((await manager.client.deployments.outputs('provider'))['key']);
    const nobody = await manager.gantry('install', consumer, '-b', 'lost', '-d', 'lost', '-i', 'provider=nobody');
    expect(nobody.code).to.equal(1);
    expect(nobody.stderr).to.contain("Value 'nobody' of 'provider' is not a valid value for data type 'deployment_id'");
    await run('uninstall', 'lost');
    await run('uninstall', 'consumer');
    await run('uninstall', 'provider');
  });

  describe('several tiers', () => {
    let folder: string;
    let journal: string;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gantry-journal-'));
      journal = join(folder, 'journal');
      const path = join(packageRoot(), 'test', 'fixtures', 'multi-tier', 'blueprint.yaml');
      await uploadBlueprint(manager.client, 'tiers', path);
      await manager.client.deployments.create('tiers', 'tiers', { inputs: { journal } });
      await mustRun(manager.client, 'tiers', 'install');
    });

    after(async () => {
      await rm(folder, { recursive: true, force: true });
    });

    async function lines(): Promise<string[]> {
      return (await readFile(journal, 'utf8')).trim().split('\n');
    }

    it('are installed in the order of their relationships', async () => {
      const seen = await lines();
      const web = ['create', 'configure', 'start'].flatMap((operation) => [`web ${operation}`, `web ${operation}`]);
      expect([...seen].sort()).to.deep.equal(
        [
          ...['create', 'configure', 'start'].flatMap((name) => [`database ${name}`, `application ${name}`]),
          ...web,
          'application connected to localhost:5432',
          'web connected to localhost:8080',
          'web connected to localhost:8080',
        ].sort(),
      );
      const inOrder = ['database start', 'application create', 'application start', 'web create', 'web start'];
      expect(inOrder.map((line) => seen.indexOf(line))).to.deep.equal(
        inOrder.map((line) => seen.indexOf(line)).sort((left, right) => left - right),
      );
    });

    it('give outputs and capabilities', async () => {
      expect(await manager.client.deployments.outputs('tiers')).to.deep.equal({
        database_address: 'localhost:5432',
        entry: 'http://localhost:8080/',
      });
      expect(await manager.client.deployments.capabilities('tiers')).to.deep.equal({
        database: { address: 'localhost:5432', port: 5432 },
      });
    });

    it('offer their capabilities to other deployments', async () => {
      const borrower = {
        ...noopBlueprint(1),
        outputs: { port: { value: { get_capability: ['tiers', 'database', 'port'] } } },
      };
      await deploy(manager.client, 'borrower', borrower);
      expect(await manager.client.deployments.outputs('borrower')).to.deep.equal({ port: 5432 });
    });

    it('are scaled out and in', async () => {
      const parameters = { scalable_entity_name: 'web', delta: 1 };
      await mustRun(manager.client, 'tiers', 'scale', { parameters });
      const count = async (): Promise<number> => {
        const filters = { deployment_id: 'tiers', node_id: 'web' };
        return (await manager.client.deployments.nodeInstances({ filters })).metadata.pagination.total;
      };
      expect(await count()).to.equal(3);
      await mustRun(manager.client, 'tiers', 'scale', { parameters: { ...parameters, delta: -2 } });
      expect(await count()).to.equal(1);
    });

    it('are uninstalled in the reverse order', async () => {
      const before = (await lines()).length;
      await mustRun(manager.client, 'tiers', 'uninstall');
      const seen = (await lines()).slice(before);
      const inOrder = ['web stop', 'web delete', 'application stop', 'application delete', 'database stop'];
      expect(inOrder.map((line) => seen.indexOf(line))).to.deep.equal(
        inOrder.map((line) => seen.indexOf(line)).sort((left, right) => left - right),
      );
    });
  });

  it('finds everything again after a clean stop and after a crash', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-again-'));
    try {
      const first = await startEmbeddedManager({ dataDir: folder });
      await deploy(first.client, 'kept', noopBlueprint(2));
      await mustRun(first.client, 'kept', 'install');
      await first.stop();
      const second = await startEmbeddedManager({ dataDir: folder });
      expect(second.password).to.equal(first.password);
      expect((await second.client.deployments.get('kept')).installation_status).to.equal('active');
      await second.program.kill();
      const third = await startEmbeddedManager({ dataDir: folder });
      await mustRun(third.client, 'kept', 'uninstall');
      await third.stop();
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  it('continues an execution after a crash', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-crash-'));
    try {
      const first = await startEmbeddedManager({ dataDir: folder, environment: { GANTRY_STALE_AFTER: '2' } });
      const slow = { implementation: 'gantry.sleep', inputs: { seconds: 1 } };
      const blueprint = noopBlueprint(3) as { node_templates: { worker: { interfaces: Record<string, object> } } };
      blueprint.node_templates.worker.interfaces = {
        'cloudify.interfaces.lifecycle': { create: slow, configure: slow, start: slow },
      };
      await deploy(first.client, 'slow', blueprint);
      const { id } = await first.client.executions.start('slow', 'install');
      await first.program.kill();
      first.client.close();
      const second = await startEmbeddedManager({ dataDir: folder, environment: { GANTRY_STALE_AFTER: '2' } });
      const { followExecution } = await import('../../src/client/follow.ts');
      expect((await followExecution(second.client, id)).status).to.equal('terminated');
      await second.stop();
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });
});
