import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { packDirectory } from '../../../src/files/pack.ts';

describe('packing a directory', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-pack-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('gives a gzip stream', async () => {
    await mkdir(join(folder, 'inner'));
    await writeFile(join(folder, 'inner', 'file'), 'content');
    const packed = await buffer(packDirectory(folder, 'top'));
    expect([packed[0], packed[1]]).to.deep.equal([0x1f, 0x8b]);
  });

  it('tells its reader that the directory has gone, however late it reads', async () => {
    const stream = packDirectory(join(folder, 'gone'));
    await turn();
    await turn();
    const outcome = await pipeline(stream, new PassThrough().resume()).catch((error: unknown) => error);
    expect(outcome).to.have.property('code', 'ENOENT');
  });
});
