import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { DslError } from '../../../src/dsl/errors.ts';
import { ManagerImportResolver, parsePluginImport } from '../../../src/files/import-resolver.ts';
import type { ImportCatalogue, ImportResolverOptions } from '../../../src/files/import-resolver.ts';

describe('resolving imports on a manager', () => {
  let folder: string;
  let options: ImportResolverOptions;
  let resolver: ManagerImportResolver;
  let catalogue: ImportCatalogue;

  async function write(path: string, text: string): Promise<string> {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-resolver-'));
    await write('blueprint/parts/a.yaml', 'a: 1');
    await write('shared/types/types.yaml', 'types: 1');
    await write('shared/types/types_1_3.yaml', 'types: 1.3');
    await write('files/global-resources/g.yaml', 'g: 1');
    await write('files/tenant-resources/own/t.yaml', 't: 1');
    await write('files/tenant-resources/other/t.yaml', 'other: 1');
    await write('files/blueprints/other/secret/blueprint.yaml', 'other: 1');
    await write('outside.yaml', 'outside: 1');
    catalogue = { findPlugin: async () => undefined, findBlueprint: async () => undefined };
    options = {
      blueprintDirectory: join(folder, 'blueprint'),
      sharedRoot: join(folder, 'shared'),
      filesRoot: join(folder, 'files'),
      tenant: 'own',
      policy: { allowedHosts: [] },
      catalogue: {
        findPlugin: (plugin) => catalogue.findPlugin(plugin),
        findBlueprint: (id) => catalogue.findBlueprint(id),
      },
    };
    resolver = new ManagerImportResolver(options);
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const readable: [string, string, string][] = [
    ['a file of the blueprint', 'parts/a.yaml', 'a: 1'],
    ['the built-in types by name', 'cloudify/types/types.yaml', 'types: 1'],
    ['the built-in types as shared resource', 'resource:cloudify/types/types.yaml', 'types: 1'],
    [
      'the built-in types by their old address',
      'http://www.getcloudify.org/spec/cloudify/6.3.0/types.yaml',
      'types: 1.3',
    ],
    ['a shared file of the manager', 'resource:global-resources/g.yaml', 'g: 1'],
    ['a shared file of the tenant', 'resource:tenant-resources/own/t.yaml', 't: 1'],
  ];
  for (const [what, location, text] of readable) {
    it(`reads ${what}`, async () => {
      expect(await resolver.fetch(location)).to.include({ kind: 'file', text });
    });
  }

  const refused: [string, () => string][] = [
    ['a file above the blueprint', () => '../outside.yaml'],
    ['a file by its absolute path', () => join(folder, 'outside.yaml')],
    ['a file by its URL', () => pathToFileURL(join(folder, 'outside.yaml')).href],
    ['an encoded climb', () => `${pathToFileURL(join(folder, 'blueprint')).href}/%2e%2e/outside.yaml`],
    ['a file of another tenant', () => 'resource:tenant-resources/other/t.yaml'],
    ['a blueprint of another tenant', () => 'resource:blueprints/other/secret/blueprint.yaml'],
    ['a system file', () => 'file:///etc/passwd'],
    ['a host that is not allowed', () => 'http://127.0.0.1:1/x.yaml'],
    ['a directory', () => 'parts'],
  ];
  for (const [what, location] of refused) {
    it(`does not read ${what}`, async () => {
      let thrown: unknown;
      await resolver.fetch(location()).catch((error: unknown) => (thrown = error));
      expect(thrown).to.be.instanceOf(DslError);
      expect((thrown as DslError).code).to.equal(13);
      if (!location().startsWith('http')) {
        expect(await resolver.locateFile(location())).to.equal(undefined);
        expect(await resolver.resourceExists(location())).to.equal(false);
      }
    });
  }

  it('replaces prefixes by rules, within the same limits', async () => {
    const rule = { prefix: 'http://old.example.com/', replacement: 'resource:global-resources/' };
    const ruled = new ManagerImportResolver({ ...options, rules: { rules: [rule], fallback: true } });
    expect(await ruled.fetch('http://old.example.com/g.yaml')).to.include({ kind: 'file', text: 'g: 1' });
    expect(await ruled.fetch('parts/a.yaml')).to.include({ kind: 'file', text: 'a: 1' });
    const error = await ruled.fetch('http://old.example.com/../../outside.yaml').catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(DslError).and.include({ code: 13 });
  });

  it('locates files for relative imports', async () => {
    const url = pathToFileURL(join(folder, 'blueprint', 'parts', 'a.yaml')).href;
    expect(await resolver.locateFile('parts/a.yaml')).to.equal(url);
    expect(await resolver.fetch(url)).to.include({ text: 'a: 1' });
    expect(await resolver.resourceExists(url)).to.equal(true);
  });

  it('takes plugins and blueprints from the catalogue', async () => {
    const yamlPath = await write('files/plugins/1/plugin.yaml', 'plugins: {}');
    const directory = join(folder, 'files/blueprints/own/base');
    await write('files/blueprints/own/base/main.yaml', 'base: 1');
    await write('files/blueprints/own/base/more.yaml', 'more: 1');
    catalogue = {
      findPlugin: async ({ name, version }) => (name === 'p' && version[0] === '>=1.0' ? { yamlPath } : undefined),
      findBlueprint: async (id) => (id === 'base' ? { directory, mainFileName: 'main.yaml' } : undefined),
    };
    expect(await resolver.fetch('plugin:p?version=>=1.0')).to.include({ kind: 'file', text: 'plugins: {}' });
    const base = await resolver.fetch('blueprint:base');
    expect(base).to.include({ kind: 'blueprint', text: 'base: 1' });
    expect(await resolver.fetch(pathToFileURL(join(directory, 'more.yaml')).href)).to.include({ text: 'more: 1' });
    for (const missing of ['plugin:q', 'blueprint:nothing']) {
      let thrown: unknown;
      await resolver.fetch(missing).catch((error: unknown) => (thrown = error));
      expect((thrown as DslError).className).to.equal('InvalidBlueprintImport');
    }
  });

  it('takes plugin imports apart', () => {
    expect(parsePluginImport('p?version= >=1.2,<2&distribution=linux')).to.deep.equal({
      name: 'p',
      version: ['>=1.2,<2'],
      distribution: ['linux'],
    });
    expect(() => parsePluginImport('p?nope=1')).to.throw(DslError, /invalid parameter nope/);
  });
});
