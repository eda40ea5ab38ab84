import { expect } from 'chai';
import type { User } from '../../../src/domain/entities.ts';
import { createIdentityProviders } from '../../../src/services/identity-providers.ts';
import type { IdentityProviderKind, ProofLogin } from '../../../src/services/identity-providers.ts';

const user = { username: 'ada' } as User;
const saml: ProofLogin<'saml'> = { prove: async () => ({ user, method: 'saml' }) };
const openId: ProofLogin<'code'> = { prove: async () => ({ user, method: 'openid_connect' }) };

describe('identity providers', () => {
  const make = (kinds: readonly IdentityProviderKind[]): ReturnType<typeof createIdentityProviders> =>
    createIdentityProviders({
      directory: { isEnabled: async () => kinds.includes('ldap'), login: async () => undefined },
      saml: kinds.includes('okta') ? saml : undefined,
      openId: kinds.includes('oidc') ? openId : undefined,
    });

  const messageOf = (attempt: Promise<unknown>): Promise<string> =>
    attempt.then(
      () => 'done',
      (error: Error) => error.message,
    );

  const combinations: IdentityProviderKind[][] = [[], ['ldap'], ['okta'], ['oidc'], ['ldap', 'okta', 'oidc']];
  for (const kinds of combinations) {
    it(`are ${kinds.join(', ') || 'none'}, and have users managed there`, async () => {
      const providers = make(kinds);
      expect(await providers.kinds()).to.deep.equal(kinds);
      expect(await providers.takesPasswords()).to.equal(kinds.includes('ldap'));
      expect(await messageOf(providers.refuseWhenEnabled('create user'))).to.equal(
        kinds.length === 0 ? 'done' : 'Action `create user` is not available when using external authentication',
      );
    });
  }

  it('are asked about their own proofs only', async () => {
    const [response, code] = [
      { kind: 'saml', response: 'x' } as const,
      { kind: 'code', code: 'x', verifier: 'y' } as const,
    ];
    const all = make(['okta', 'oidc']);
    expect([(await all.prove(response, 'here')).method, (await all.prove(code, 'here')).method]).to.deep.equal([
      'saml',
      'openid_connect',
    ]);
    expect(await messageOf(make(['oidc']).prove(response, 'here'))).to.match(
      /SAML logins are not set up; see GANTRY_SAML_/,
    );
    expect(await messageOf(make(['okta']).prove(code, 'here'))).to.match(
      /OpenID Connect logins are not set up; see GANTRY_OIDC_/,
    );
  });
});
