import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { InstalledBlueprint } from './support/lifecycle.ts';
import { startRuntime } from './support/operations.ts';
import type { TestRuntime } from './support/operations.ts';

/** Body of a page, or undefined when nobody answers. */
async function read(url: unknown, path = ''): Promise<string | undefined> {
  try {
    return await (await fetch(`${String(url)}${path}`)).text();
  } catch {
    return undefined;
  }
}

describe('Example blueprints', () => {
  let test: TestRuntime;

  before(async () => {
    test = await startRuntime();
  });
  after(() => test.stop());

  it('hello-world serves a page until it is taken away, also when the runtime is gone', async () => {
    const own = await startRuntime();
    const installed = await InstalledBlueprint.install(own.runtime, 'hello-world', 'blueprint.yaml', {
      greeting: 'Grüße <all>',
    });
    await own.stop();
    const url = installed.output('url');
    expect(await read(url))
      .to.include('<h1>Grüße &lt;all&gt;</h1>')
      .and.to.include('<code>deployment-1</code>');
    const folder = installed.properties(installed.instancesOf('server')[0] ?? '')['folder'] as string;
    await installed.over(test.runtime).uninstall();
    expect(await read(url)).to.equal(undefined);
    expect(existsSync(folder)).to.equal(false);
  }).timeout(30_000);

  it('multi-tier joins a database, application servers and a web server', async () => {
    const installed = await InstalledBlueprint.install(test.runtime, 'multi-tier', 'blueprint.yaml', {
      title: 'A & B',
    });
    const url = installed.output('url');
    const databaseUrl = installed.output('database_url');
    const applications = installed.instancesOf('application');
    expect(applications).to.have.length(2);
    const pages = [await read(url), await read(url), await read(url)];
    expect(pages[0]).to.include('<h1>A &amp; B</h1>').and.to.include('number <b>1</b>');
    expect(pages[2]).to.include('number <b>3</b>');
    for (const application of applications) {
      expect(pages.join('')).to.include(application);
    }
    expect(JSON.parse((await read(url, 'servers')) ?? '')).to.have.members(applications);
    expect(JSON.parse((await read(databaseUrl, 'accounts')) ?? '')).to.have.members(applications);
    await installed.uninstall();
    expect([await read(url), await read(databaseUrl)]).to.deep.equal([undefined, undefined]);
    expect(installed.text).to.not.include('<err>');
  }).timeout(30_000);

  it('capabilities passes values from one deployment to another', async () => {
    const provider = await InstalledBlueprint.install(test.runtime, 'capabilities', 'provider.yaml', {
      region: 'south',
    });
    const [service] = provider.instancesOf('service');
    const { key, address } = provider.properties(service ?? '');
    expect(key).to.match(/^[0-9a-f]{32}$/);
    expect(address).to.deep.equal({ host: 'service.south.example.com', port: 5000 });
    const offered = { region: 'south', address: address ?? null, key: key ?? null };
    const consumer = await InstalledBlueprint.install(
      test.runtime,
      'capabilities',
      'consumer.yaml',
      { provider: 'provider' },
      offered,
    );
    expect(consumer.output('configuration')).to.equal(
      'region south, service service.south.example.com:5000, key of 32 characters',
    );
    await consumer.uninstall();
    expect(consumer.output('configuration')).to.equal(undefined);
    await provider.uninstall();
  });
});
