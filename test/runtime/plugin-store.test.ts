import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { packDirectory } from '../../src/files/pack.ts';
import { builtinPlugins } from '../../src/runtime/node/builtins.ts';
import { PluginStore } from '../../src/runtime/plugins/plugin-store.ts';
import type { PluginPackage, PluginSource } from '../../src/runtime/plugins/plugin-store.ts';
import { makeRuntime } from '../../src/runtime/runtime.ts';
import { FakeHost } from './support/fake-host.ts';
import { contextOf, resultOf } from './support/operations.ts';

describe('PluginStore', () => {
  let folder: string;
  let located: PluginPackage | undefined;
  let questions: number;
  let fetches: number;
  const source: PluginSource = {
    locate: async () => {
      questions += 1;
      return located;
    },
  };
  const signal = new AbortController().signal;
  const context = contextOf('answer', { plugin: { name: 'my', package_name: 'my-plugin', package_version: '1.0' } });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-plugins-'));
    questions = 0;
    fetches = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** An uploaded plugin with the given files, by path. */
  async function upload(id: string, files: Record<string, string>, topDirectory?: string): Promise<PluginPackage> {
    const content = join(folder, `content-${id}`);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(content, path, '..'), { recursive: true });
      await writeFile(join(content, path), text);
    }
    const archive = join(folder, `${id}.tar.gz`);
    await pipeline(packDirectory(content, topDirectory), createWriteStream(archive));
    return {
      id,
      packageName: 'my-plugin',
      packageVersion: '1.0',
      fetchArchive: async () => {
        fetches += 1;
        return archive;
      },
    };
  }

  const answering = (answer: number): Record<string, string> => ({
    'package.json': JSON.stringify({
      name: 'my-plugin',
      type: 'module',
      exports: { '.': { import: './lib/main.js' } },
    }),
    'lib/main.js': `export const answer = () => ${answer};`,
  });

  it('installs a plugin when its first operation comes, once for all that wait', async () => {
    located = await upload('one', answering(1), 'my-plugin-1.0');
    const store = new PluginStore({ root: folder, source });
    const found = await Promise.all(Array.from({ length: 10 }, () => store.find(context, signal)));
    const [first] = found;
    expect(first).to.include({ id: 'one', kind: 'node', name: 'my-plugin', version: '1.0' });
    expect(first?.directory).to.equal(join(folder, 'plugins', 'default_tenant', 'my-plugin', '1.0'));
    expect(first?.entry).to.equal(join(first?.directory ?? '', 'my-plugin-1.0', 'lib', 'main.js'));
    expect(new Set(found.map((plugin) => plugin?.entry)).size).to.equal(1);
    expect(fetches).to.equal(1);
  });

  it('asks the source once in a while only', async () => {
    located = await upload('one', answering(1));
    const store = new PluginStore({ root: folder, source });
    for (let time = 0; time < 5; time += 1) {
      await store.find(context, signal);
    }
    expect(questions).to.equal(1);
  });

  it('finds what another process installed', async () => {
    located = await upload('one', answering(1));
    await new PluginStore({ root: folder, source }).find(context, signal);
    const other = await new PluginStore({ root: folder, source }).find(context, signal);
    expect(other?.id).to.equal('one');
    expect(fetches).to.equal(1);
  });

  it('may be shared by processes that install at the same time', async () => {
    located = await upload('one', answering(1));
    const stores = Array.from({ length: 5 }, () => new PluginStore({ root: folder, source }));
    const found = await Promise.all(stores.map((store) => store.find(context, signal)));
    expect(found.map((plugin) => plugin?.id)).to.deep.equal(['one', 'one', 'one', 'one', 'one']);
    const left = await readdir(join(folder, 'plugins', 'default_tenant', 'my-plugin'));
    expect(left).to.deep.equal(['1.0']);
  });

  it('replaces a plugin that was uploaded again, and never runs the old code', async () => {
    located = await upload('one', answering(1));
    const store = new PluginStore({ root: folder, source });
    const runtime = makeRuntime({
      defaultTimeoutSeconds: 60,
      temporaryDirectory: folder,
      builtins: builtinPlugins(),
      finder: { find: (given, abort) => new PluginStore({ root: folder, source }).find(given, abort) },
    });
    try {
      expect(resultOf(await runtime.run({ context, inputs: {} }, new FakeHost()))).to.equal(1);
      await store.uninstall('default_tenant', located);
      located = await upload('two', answering(2));
      expect(resultOf(await runtime.run({ context, inputs: {} }, new FakeHost()))).to.equal(2);
    } finally {
      await runtime.stop();
    }
  });

  it('uninstalls only the plugin that is meant', async () => {
    located = await upload('one', answering(1));
    const store = new PluginStore({ root: folder, source });
    const plugin = await store.find(context, signal);
    await store.uninstall('default_tenant', { ...located, id: 'other' });
    await access(plugin?.directory ?? '');
    await store.uninstall('default_tenant', located);
    expect(await readdir(join(folder, 'plugins', 'default_tenant', 'my-plugin'))).to.deep.equal([]);
  });

  it('recognizes wagon archives', async () => {
    located = await upload('wagon', { 'package.json': JSON.stringify({ package_name: 'p', wheels: ['a.whl'] }) }, 'p');
    const plugin = await new PluginStore({ root: folder, source }).find(context, signal);
    expect(plugin).to.include({ kind: 'python', entry: undefined });
  });

  it('finds nothing for a plugin that was not uploaded', async () => {
    located = undefined;
    expect(await new PluginStore({ root: folder, source }).find(context, signal)).to.equal(undefined);
  });

  const broken: [string, Record<string, string>, string][] = [
    ['no package.json', { 'readme.txt': '' }, 'has no package.json'],
    ['a package.json that is not JSON', { 'package.json': '{' }, 'is not JSON'],
    ['a missing module', { 'package.json': '{"main": "nope.js"}' }, 'names the module nope.js, which does not exist'],
    ['a module outside', { 'package.json': '{"main": "../../../etc/passwd"}' }, 'which does not exist'],
  ];
  for (const [what, files, message] of broken) {
    it(`refuses a package with ${what} and leaves nothing behind`, async () => {
      located = await upload('broken', files);
      const store = new PluginStore({ root: folder, source });
      const thrown: unknown = await store.find(context, signal).catch((error: unknown) => error);
      expect((thrown as Error).message).to.include(message);
      expect((thrown as Error).name).to.equal('NonRecoverableError');
      expect(await readdir(join(folder, 'plugins', 'default_tenant', 'my-plugin'))).to.deep.equal([]);
    });
  }
});
