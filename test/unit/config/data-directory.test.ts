import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeDataDirectory } from '../../../src/config/data-directory.ts';

async function refusal(directory: string): Promise<string> {
  return makeDataDirectory(directory).then(
    () => 'no refusal',
    (error: Error) => error.message,
  );
}

describe('The data directory', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-data-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('is made with all above it, and found again', async () => {
    const path = join(folder, 'a', 'b', 'c');
    expect(await makeDataDirectory(path)).to.equal(path);
    expect(await makeDataDirectory(path)).to.equal(path);
    expect((await stat(path)).isDirectory()).to.equal(true);
  });

  it('is no file, and not below one', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    expect(await refusal(file)).to.match(/file is a file\. Choose another one with --data/);
    expect(await refusal(join(file, 'below'))).to.match(/file.*--data/);
  });

  it('is refused where nothing can be made', async function () {
    if (process.platform !== 'linux') {
      this.skip();
    }
    expect(await refusal('/proc/gantry/data')).to.match(
      /\/proc\/gantry\/data cannot be used by .* \(E[A-Z]+\).*--data/,
    );
  });
});
