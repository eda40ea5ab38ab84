import { expect } from 'chai';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZipFile } from 'yazl';
import { GantryError } from '../../../src/domain/errors.ts';
import { FileStore } from '../../../src/files/file-store.ts';
import { packWorkingDirectory, stageWorkingDirectory } from '../../../src/files/working-directory.ts';

describe('the working directory of a deployment as an archive', () => {
  let root: string;
  let files: FileStore;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'gantry-workdir-'));
    files = new FileStore({ root, sharedRoot: root });
    await files.prepare();
    const directory = await files.createDeploymentDirectory('tenant', 'first');
    await mkdir(join(directory, 'empty'));
    await mkdir(join(directory, 'notes'));
    await writeFile(join(directory, 'notes', 'state.json'), '{}');
    await writeFile(join(directory, 'run.sh'), 'echo', { mode: 0o755 });
    await symlink('/etc/passwd', join(directory, 'link'));
  });

  after(() => rm(root, { recursive: true }));

  const refusalOf = async (work: Promise<unknown>): Promise<GantryError> => {
    const thrown = await work.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).to.be.instanceOf(GantryError);
    return thrown as GantryError;
  };

  it('comes back with its folders and programs, without links', async () => {
    const staged = await stageWorkingDirectory(
      files,
      'tenant',
      'second',
      await packWorkingDirectory(files, 'tenant', 'first'),
    );
    const target = files.deploymentDirectory('tenant', 'second');
    await mkdir(target, { recursive: true });
    await writeFile(join(target, 'left.txt'), 'from before');
    expect(await staged.growth()).to.equal('{}'.length + 'echo'.length - 'from before'.length);
    await staged.publish();
    await staged.publish();
    await staged.discard();
    expect((await readdir(target)).sort()).to.deep.equal(['empty', 'notes', 'run.sh']);
    expect(await readFile(join(target, 'notes', 'state.json'), 'utf8')).to.equal('{}');
    expect((await stat(join(target, 'run.sh'))).mode & 0o111).not.to.equal(0);
    expect(await readdir(files.incomingDirectory)).to.deep.equal([]);
  });

  it('is an empty archive where there is none', async () => {
    const empty = await packWorkingDirectory(files, 'tenant', 'nowhere');
    expect(empty.toString('base64')).to.equal('UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==');
    const staged = await stageWorkingDirectory(files, 'tenant', 'third', empty);
    await staged.publish();
    await staged.discard();
    expect(await readdir(files.deploymentDirectory('tenant', 'third'))).to.deep.equal([]);
  });

  it('is not packed when it is too large', async () => {
    const refusal = await refusalOf(packWorkingDirectory(files, 'tenant', 'first', 5));
    expect(refusal.code).to.equal('illegal_action_error');
    expect(refusal.message).to.match(/deployment first is larger than 5 bytes/);
  });

  it('is refused when it unpacks to far more than it seems', async () => {
    const bomb = new ZipFile();
    bomb.addBuffer(Buffer.alloc(20 * 1024 * 1024), 'zeros');
    bomb.end();
    const chunks: Buffer[] = [];
    for await (const chunk of bomb.outputStream as unknown as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
    const refusal = await refusalOf(stageWorkingDirectory(files, 'tenant', 'bomb', Buffer.concat(chunks)));
    expect(refusal.message).to.match(/^workdir_zip: .*times/);
    expect(await readdir(files.incomingDirectory)).to.deep.equal([]);
  });
});
