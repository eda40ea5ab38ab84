import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FileStore } from '../../../src/files/file-store.ts';

describe('the file store', () => {
  it('removes what was left unfinished long ago, and nothing that may be worked on', async () => {
    const root = await mkdtemp(join(tmpdir(), 'gantry-files-'));
    const files = new FileStore({ root, sharedRoot: root });
    await files.prepare();
    const left = await files.temporaryDirectory();
    await writeFile(join(left, 'content'), 'half of an archive');
    const begun = await files.temporaryDirectory();
    await utimes(left, 1000, 1000);
    expect(await files.removeUnfinished(2_000_000)).to.equal(1);
    expect((await readdir(files.incomingDirectory)).map((name) => join(files.incomingDirectory, name))).to.deep.equal([
      begun,
    ]);
    await rm(root, { recursive: true });
  });
});
