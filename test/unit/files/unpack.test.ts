import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { GantryError } from '../../../src/domain/errors.ts';
import { detectArchiveFormat } from '../../../src/files/archive-format.ts';
import { bunzip2 } from '../../../src/files/bunzip2.ts';
import { entryParts } from '../../../src/files/entry-writer.ts';
import { defaultUnpackLimits } from '../../../src/files/limits.ts';
import { singleTopDirectory, unpackArchive } from '../../../src/files/unpack.ts';
import { tar, tarGz, zip } from './archives.ts';

const plain = [
  { name: 'app/', type: '5', mode: 0o755 },
  { name: 'app/blueprint.yaml', content: 'node_templates: {}\n' },
  { name: './app/scripts/start.sh', content: '#!/bin/sh\n', mode: 0o755 },
];

/** What `bzip2` makes of 'gantry' in tar form is not made by hand. */
function bzip2(content: Buffer): Buffer | undefined {
  const { status, stdout } = spawnSync('bzip2', ['-c'], { input: content, maxBuffer: 1 << 28 });
  return status === 0 ? stdout : undefined;
}

describe('unpacking an archive', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-files-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function unpack(content: Buffer, limits = defaultUnpackLimits): Promise<string> {
    const archive = join(folder, 'archive');
    await writeFile(archive, content);
    const target = join(folder, 'target');
    await unpackArchive(archive, target, { limits });
    return target;
  }

  /** The refusal, once it is made sure that nothing was left behind. */
  async function refusal(content: Buffer, limits = defaultUnpackLimits): Promise<string> {
    let message: string | undefined;
    try {
      await unpack(content, limits);
    } catch (error) {
      expect(error).to.be.instanceOf(GantryError);
      message = (error as GantryError).message;
    }
    expect(message, 'it was not refused').to.be.a('string');
    expect((await readdir(folder)).filter((name) => name !== 'archive')).to.deep.equal([]);
    return message ?? '';
  }

  const formats: [string, () => Buffer | undefined][] = [
    ['tar', () => tar(plain)],
    ['tar.gz', () => tarGz(plain)],
    ['tar.bz2', () => bzip2(tar(plain))],
    [
      'zip',
      () =>
        zip([
          { name: 'app/', mode: 0o040755 },
          { name: 'app/blueprint.yaml', content: 'node_templates: {}\n' },
          { name: 'app/scripts/start.sh', content: '#!/bin/sh\n', mode: 0o100755 },
        ]),
    ],
  ];
  for (const [format, make] of formats) {
    it(`writes the files of a ${format} and keeps what is executable`, async function () {
      const content = make();
      if (!content) {
        this.skip();
      }
      const target = await unpack(content);
      expect(await detectArchiveFormat(join(folder, 'archive'))).to.equal(format);
      const top = await singleTopDirectory(target);
      expect(top).to.equal(join(target, 'app'));
      expect(await readFile(join(top, 'blueprint.yaml'), 'utf8')).to.equal('node_templates: {}\n');
      expect((await stat(join(top, 'scripts', 'start.sh'))).mode & 0o111).to.not.equal(0);
      expect((await stat(join(top, 'blueprint.yaml'))).mode & 0o111).to.equal(0);
    });
  }

  const hostile: [string, Buffer, RegExp][] = [
    ['a path that climbs out', tarGz([{ name: 'app/../../evil', content: 'x' }]), /points outside/],
    ['an absolute path', tar([{ name: '/etc/evil', content: 'x' }]), /absolute path|points outside/],
    ['a symbolic link', tarGz([{ name: 'app/link', type: '2', linkName: '/etc/passwd' }]), /link/],
    ['a hard link', tar([{ name: 'app/link', type: '1', linkName: '../secret' }]), /link/],
    ['a character device', tar([{ name: 'app/null', type: '3' }]), /neither a file nor a directory/],
    ['a pipe', tar([{ name: 'app/pipe', type: '6' }]), /neither a file nor a directory/],
    [
      'a link and a file through it',
      tarGz([
        { name: 'app/out', type: '2', linkName: '/tmp' },
        { name: 'app/out/evil', content: 'x' },
      ]),
      /link/,
    ],
    [
      'a file where a directory is',
      tar([
        { name: 'app/x', content: 'file' },
        { name: 'app/x/y', content: 'file' },
      ]),
      /file and a directory of the same name/,
    ],
    ['a zip path that climbs out', zip([{ name: '../evil', content: 'x' }]), /points outside|damaged/],
    [
      'a zip path with backslashes that climbs out',
      zip([{ name: 'app\\..\\..\\evil', content: 'x' }]),
      /outside|damaged/,
    ],
    ['an absolute zip path', zip([{ name: '/etc/evil', content: 'x' }]), /absolute path|damaged/],
    ['a zip path of another drive', zip([{ name: 'C:/evil', content: 'x' }]), /absolute path|damaged/],
    ['a zip with a link', zip([{ name: 'app/link', content: '/etc/passwd', mode: 0o120777 }]), /link/],
    ['a zip with a pipe', zip([{ name: 'app/pipe', mode: 0o010644 }]), /neither a file nor a directory/],
    ['an encrypted zip', zip([{ name: 'app/x', content: 'x'.repeat(20), isEncrypted: true }]), /encrypted|damaged/],
    ['a zip that is cut short', zip([{ name: 'app/x', content: 'x' }]).subarray(0, 50), /damaged/],
    ['a tar.gz that is cut short', tarGz(plain).subarray(0, 120), /damaged/],
    ['a tar with a broken header', Buffer.concat([tar(plain).subarray(0, 1024), Buffer.alloc(2048, 'x')]), /damaged/],
    ['text', Buffer.from('node_templates: {}\n'), /unrecognized format/],
    ['a gzip of no tar', gzipSync('not a tar'), /unrecognized format/],
    ['nothing', Buffer.alloc(0), /unrecognized format/],
  ];
  for (const [what, content, message] of hostile) {
    it(`refuses ${what} and leaves nothing behind`, async () => {
      expect(await refusal(content)).to.match(message);
    });
  }

  it('refuses an archive bomb by its ratio', async () => {
    const bomb = tarGz([{ name: 'app/zeros', content: Buffer.alloc(4 * 1024 * 1024) }]);
    const limits = { ...defaultUnpackLimits, ratioFreeBytes: 1024 * 1024 };
    expect(await refusal(bomb, limits)).to.match(/archive bomb|damaged/);
  });

  it('refuses a bzip2 bomb by its size', async function () {
    const bomb = bzip2(tar([{ name: 'app/zeros', content: Buffer.alloc(8 * 1024 * 1024) }]));
    if (!bomb) {
      this.skip();
    }
    expect(await refusal(bomb, { ...defaultUnpackLimits, maxBytes: 1024 * 1024 })).to.match(/more than 1048576 bytes/);
  });

  it('refuses too many entries', async () => {
    const many = tar(Array.from({ length: 20 }, (_, index) => ({ name: `app/${index}` })));
    expect(await refusal(many, { ...defaultUnpackLimits, maxEntries: 10 })).to.match(/more than 10 entries/);
  });

  it('refuses paths that are too long or too deep', async () => {
    const limits = { ...defaultUnpackLimits, maxDepth: 3, maxPathLength: 40 };
    expect(await refusal(tar([{ name: 'a/b/c/d/e' }]), limits)).to.match(/3 directories deep/);
    expect(await refusal(tar([{ name: `a/${'x'.repeat(60)}` }]), limits)).to.match(/longer than 40/);
  });

  it('never takes an entry path apart into something that leaves the target', () => {
    const part = fc.oneof(fc.constantFrom('..', '.', '', '\\', '/', 'a', 'C:', '\0'), fc.string());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = parts.join('/');
        let result: string[];
        try {
          result = entryParts(path, defaultUnpackLimits);
        } catch (error) {
          return error instanceof GantryError;
        }
        const joined = join('/target', ...result);
        return joined === '/target' || joined.startsWith('/target/');
      }),
    );
  });

  it('wants exactly one directory at the top', async () => {
    const two = join(folder, 'two');
    await mkdir(join(two, 'a'), { recursive: true });
    await mkdir(join(two, '__MACOSX'), { recursive: true });
    expect(await singleTopDirectory(two)).to.equal(join(two, 'a'));
    await writeFile(join(two, 'blueprint.yaml'), '');
    let message = '';
    await singleTopDirectory(two).catch((error: unknown) => (message = (error as Error).message));
    expect(message).to.match(/exactly one directory at its top/);
  });
});

describe('reading bzip2', () => {
  it('gives back what the program packed, in pieces', async function () {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) % 251));
    const runs = Buffer.concat([Buffer.alloc(500_000, 7), content, Buffer.from('aaaa'), Buffer.alloc(259, 9)]);
    const packed = bzip2(runs);
    if (!packed) {
      this.skip();
    }
    const file = join(tmpdir(), `gantry-bz2-${process.pid}`);
    await writeFile(file, Buffer.concat([packed, packed]));
    try {
      const pieces = [...bunzip2(file)];
      expect(Math.max(...pieces.map(({ length }) => length))).to.be.at.most(64 * 1024);
      expect(Buffer.concat(pieces).equals(Buffer.concat([runs, runs]))).to.equal(true);
      const damaged = Buffer.from(packed);
      damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 0xff;
      await writeFile(file, damaged);
      expect(() => [...bunzip2(file)]).to.throw(Error);
    } finally {
      await rm(file, { force: true });
    }
  });
});
