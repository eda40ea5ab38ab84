import { createHmac, pbkdf2Sync } from 'node:crypto';
import { expect } from 'chai';
import { hashPassword, isPasswordHash, needsRehash, verifyPassword } from '../../../src/security/passwords.ts';

/** A hash as passlib writes it. */
function passlib(secret: string, rounds: number): string {
  const salt = Buffer.from('0123456789abcdef');
  const encode = (bytes: Buffer): string => bytes.toString('base64').replaceAll('+', '.').replaceAll('=', '');
  const key = pbkdf2Sync(secret, salt, rounds, 32, 'sha256');
  return `$pbkdf2-sha256$${rounds}$${encode(salt)}$${encode(key)}`;
}

describe('passwords', () => {
  it('are verified against their own hash, whose salt differs each time', async () => {
    const [one, other] = await Promise.all([hashPassword('secret \u00fc'), hashPassword('secret \u00fc')]);
    expect(one).to.match(/^\$scrypt\$ln=14,r=8,p=5\$/);
    expect(one).not.to.equal(other);
    expect(await verifyPassword('secret \u00fc', one)).to.equal(true);
    expect(await verifyPassword('secret u', one)).to.equal(false);
    expect(await verifyPassword('', one)).to.equal(false);
  });

  it('of an older manager are verified with its salt', async () => {
    const signed = createHmac('sha512', 'installation salt').update('admin').digest('base64');
    const stored = passlib(signed, 290);
    expect(await verifyPassword('admin', stored, { hashSalt: 'installation salt' })).to.equal(true);
    expect(await verifyPassword('admin', stored, { hashSalt: 'other' })).to.equal(false);
    expect(await verifyPassword('admin', stored)).to.equal(false);
    expect(await verifyPassword('plain', passlib('plain', 100))).to.equal(true);
  });

  it('match nothing that is no hash, or whose cost would stop us', async () => {
    for (const stored of [
      '',
      'secret',
      '$scrypt$ln=14,r=8,p=5$$',
      '$scrypt$ln=31,r=8,p=1$AAAA$AAAA',
      '$pbkdf2-sha256$9999999$AAAA$AAAA',
      '$pbkdf2-sha256$0$AAAA$AAAA',
      '$2b$12$abcdefghijklmnopqrstuu',
    ]) {
      expect(await verifyPassword('secret', stored), stored).to.equal(false);
    }
  });

  it('are told from hashes, and old hashes from new ones', async () => {
    const own = await hashPassword('x');
    const imported = passlib('x', 29_000);
    expect([own, imported, 'password', '$scrypt$'].map(isPasswordHash)).to.deep.equal([true, true, false, false]);
    expect([own, imported].map(needsRehash)).to.deep.equal([false, true]);
  });
});
