import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { decryptFernet, encryptFernet, keyFromPassphrase } from '../../../src/security/fernet.ts';
import { addKey, removeKeys } from '../../../src/security/key-file.ts';
import { createSecretBox, openSecretBox } from '../../../src/security/secret-box.ts';

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown');
}

describe('secret box', () => {
  const box = createSecretBox(new Map([['aaaaaaaa', Buffer.alloc(32, 1)]]), 'aaaaaaaa');

  it('gives back any text, encrypted differently each time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const stored = box.encrypt(text);
        expect(box.decrypt(stored)).to.equal(text);
        expect(box.encrypt(text)).not.to.equal(stored);
      }),
    );
  });

  it('reads what was encrypted for a purpose for that purpose only', () => {
    const stored = box.encrypt('secret', 'login');
    expect(box.decrypt(stored, 'login')).to.equal('secret');
    expect(() => box.decrypt(stored)).to.throw();
    expect(() => box.decrypt(stored, 'device')).to.throw();
    expect(() => box.decrypt(box.encrypt('secret'), 'login')).to.throw();
  });

  it('refuses changed and foreign texts', () => {
    const stored = box.encrypt('text');
    const changed = `${stored.slice(0, -2)}${stored.endsWith('AA') ? 'BB' : 'AA'}`;
    const foreign = createSecretBox(new Map([['aaaaaaaa', Buffer.alloc(32, 2)]]), 'aaaaaaaa').encrypt('text');
    for (const text of [changed, foreign, 'aaaaaaaa.AAAA', 'plain text', '']) {
      expect(thrownBy(() => box.decrypt(text))).to.be.instanceOf(Error);
    }
    expect(thrownBy(() => box.decrypt(stored.replace('aaaaaaaa', 'bbbbbbbb'))).message).to.contain('key bbbbbbbb');
  });

  describe('key file', () => {
    let directory: string;
    let file: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'gantry-key-'));
      file = join(directory, 'keys', 'secret.key');
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));

    it('is made once for its owner only, however many ask', async () => {
      const boxes = await Promise.all([1, 2, 3].map(() => openSecretBox(file)));
      const [first, ...others] = boxes;
      const stored = first?.encrypt('text') ?? '';
      expect(others.map((other) => other.decrypt(stored))).to.deep.equal(['text', 'text']);
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      expect(await readdir(join(directory, 'keys'))).to.deep.equal(['secret.key']);
    });

    it('is closed to others when it was open', async () => {
      await openSecretBox(file);
      await chmod(file, 0o644);
      await openSecretBox(file);
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
    });

    it('takes a new key in front and still reads with the old ones', async () => {
      const old = (await openSecretBox(file)).encrypt('text');
      await addKey(file);
      const rotated = await openSecretBox(file);
      expect(rotated.decrypt(old)).to.equal('text');
      expect([old, rotated.encrypt('text')].map((stored) => rotated.isOutdated(stored))).to.deep.equal([true, false]);
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      expect(await readdir(join(directory, 'keys'))).to.deep.equal(['secret.key']);
    });

    it('is followed by processes that opened it before', async () => {
      const box = await openSecretBox(file);
      const reader = await openSecretBox(file);
      const old = box.encrypt('text');
      const id = await addKey(file);
      const fresh = box.encrypt('text');
      expect(fresh.slice(0, 8)).to.equal(id);
      expect([old, fresh].map((stored) => reader.decrypt(stored))).to.deep.equal(['text', 'text']);
    });

    it('loses the keys that are not kept, never the current one', async () => {
      const oldest = (await openSecretBox(file)).encrypt('text').slice(0, 8);
      const middle = await addKey(file);
      const current = await addKey(file);
      expect(await removeKeys(file, new Set([middle]))).to.deep.equal([oldest]);
      expect(await removeKeys(file, new Set([middle]))).to.deep.equal([]);
      const ids = (await readFile(file, 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(0, 8));
      expect(ids).to.deep.equal([current, middle]);
    });

    for (const [name, content] of [
      ['of one short key', 'aaaaaaaa AAAA\n'],
      ['without id', `${randomBytes(32).toString('base64')}\n`],
      ['that is empty', '\n'],
    ] as const) {
      it(`is refused by name: one ${name}`, async () => {
        await openSecretBox(file);
        await writeFile(file, content);
        expect(String(await openSecretBox(file).catch((error: unknown) => error))).to.contain(file);
      });
    }
  });
});

describe('exported secrets', () => {
  it('are read again with the same passphrase only', async () => {
    const [key, other] = await Promise.all([keyFromPassphrase('passphrase'), keyFromPassphrase('other')]);
    const token = encryptFernet(key, 'secret \u00fc', 1_700_000_000_000);
    expect(token).to.match(/^[A-Za-z0-9_=-]+$/);
    expect(decryptFernet(key, token)).to.equal('secret \u00fc');
    expect(thrownBy(() => decryptFernet(other, token)).message).to.contain('another key');
    expect(thrownBy(() => decryptFernet(key, token.slice(8))).message).to.contain('damaged');
    expect(thrownBy(() => decryptFernet(key, '')).message).to.contain('damaged');
  });

  it('of classic Fernet are read', () => {
    // the example of the Fernet specification
    const key = Buffer.from('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', 'base64url');
    const token =
      'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';
    expect(decryptFernet(key, token)).to.equal('hello');
  });

  it('need a key of the right length', () => {
    expect(thrownBy(() => decryptFernet(Buffer.alloc(16), 'x')).message).to.contain('64 or 32 bytes');
  });
});
