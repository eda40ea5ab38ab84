import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { choosePluginYaml } from '../../../src/files/plugin-yaml.ts';

describe('YAML of a plugin', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gantry-plugin-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const cases: [string[], string | undefined, string | undefined][] = [
    [['plugin.yaml'], '1_5', 'plugin.yaml'],
    [['plugin.yaml', 'plugin_1_4.yaml', 'plugin_1_5.yaml'], '1_4', 'plugin_1_4.yaml'],
    [['plugin.yaml', 'plugin_1_4.yaml', 'plugin_1_5.yaml'], undefined, 'plugin_1_5.yaml'],
    [['plugin_1_3.yaml', 'plugin_1_5.yaml'], '1_4', 'plugin_1_3.yaml'],
    [['plugin.yaml', 'plugin_1_5.yaml'], '1_4', 'plugin.yaml'],
    [['p.wgn'], '1_4', undefined],
  ];
  for (const [names, version, expected] of cases) {
    it(`is ${expected ?? 'none'} among ${names.join(', ')} for ${version ?? 'the newest version'}`, async () => {
      await Promise.all(names.map((name) => writeFile(join(directory, name), '')));
      const chosen = await choosePluginYaml(directory, version);
      expect(chosen && basename(chosen)).to.equal(expected);
    });
  }

  it('is none without a directory', async () => {
    expect(await choosePluginYaml(join(directory, 'gone'))).to.equal(undefined);
  });
});
