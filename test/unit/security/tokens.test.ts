import { expect } from 'chai';
import {
  createApiToken,
  createExecutionToken,
  hashToken,
  isTokenSecret,
  maskedToken,
  parseApiToken,
} from '../../../src/security/tokens.ts';
import { randomPassword, randomSuffix, randomText } from '../../../src/security/random.ts';

describe('tokens', () => {
  it('of the API are taken apart and recognised by their hash only', () => {
    const token = createApiToken();
    expect(token.value).to.match(/^ctok-[A-Za-z0-9]{10}-[A-Za-z0-9]{40}$/);
    expect(parseApiToken(token.value)).to.deep.equal({ id: token.id, secret: token.secret });
    expect(token.secretHash).not.to.contain(token.secret);
    expect(isTokenSecret(token.secret, token.secretHash)).to.equal(true);
    expect(isTokenSecret(`${token.secret}x`, token.secretHash)).to.equal(false);
    expect(isTokenSecret(token.secret, 'short')).to.equal(false);
    expect(maskedToken(token.id)).to.equal(`ctok-${token.id}-********`);
  });

  for (const value of ['', 'ctok-', 'ctok-short-secret', `ctok-${'a'.repeat(10)}-${'b'.repeat(41)}`, 'a'.repeat(32)]) {
    it(`"${value}" is no API token`, () => {
      expect(parseApiToken(value)).to.equal(undefined);
    });
  }

  it('of executions are 32 hex characters, stored as sha256', () => {
    const { token, tokenHash } = createExecutionToken();
    expect(token).to.match(/^[0-9a-f]{32}$/);
    expect(tokenHash)
      .to.equal(hashToken(token))
      .and.to.match(/^[0-9a-f]{64}$/);
  });

  it('and names are drawn from their alphabets', () => {
    expect(randomSuffix()).to.match(/^[a-z0-9]{6}$/);
    expect(randomPassword()).to.match(/^[A-Za-z0-9_-]{32}$/);
    expect(randomText(200, 'ab'))
      .to.match(/^[ab]{200}$/)
      .and.to.contain('a')
      .and.to.contain('b');
    expect(new Set(Array.from({ length: 1000 }, () => randomSuffix())).size).to.be.greaterThan(998);
  });
});
