import { expect } from 'chai';
import { loadConfig } from '../../../src/config/config.ts';
import { redactFields } from '../../../src/log/logger.ts';

describe('configuration', () => {
  it('runs every role on embedded servers by default', () => {
    const config = loadConfig({});
    expect(config.roles).to.deep.equal(['rest', 'executor', 'broker', 'recorder', 'scheduler']);
    expect(config.database.url).to.equal('embedded');
    expect(config.amqp.url).to.equal('memory:');
  });

  it('prefers the command line to the environment', () => {
    const config = loadConfig({ GANTRY_PORT: '1000', GANTRY_ROLES: 'rest' }, { port: 2000, roles: ['broker'] });
    expect(config.http.port).to.equal(2000);
    expect(config.roles).to.deep.equal(['broker']);
  });

  for (const [environment, message] of [
    [{ GANTRY_PROT: '1' }, /Unknown environment variable GANTRY_PROT/],
    [{ GANTRY_PORT: 'many' }, /GANTRY_PORT must be a whole number from 0 to 65535, got "many"/],
    [{ GANTRY_ROLES: 'rest,cook' }, /roles must be one of rest, executor.*got "cook"/],
    [{ DATABASE_URL: 'mysql://x' }, /The database URL must be a URL starting with postgres:/],
    [{ DATABASE_URL: 'postgres://one:5432,two:many/x' }, /The database URL must be a URL starting with postgres:/],
    [{ AMQP_URL: 'nonsense' }, /The broker URL must be a URL/],
    [{ GANTRY_AMQP_CERT_FILE: 'own.pem' }, /GANTRY_AMQP_CERT_FILE and GANTRY_AMQP_KEY_FILE belong together/],
    [{ GANTRY_SAML_AUDIENCE: 'here' }, /GANTRY_SAML_AUDIENCE needs GANTRY_SAML_CERT_FILE, too/],
    [
      { GANTRY_SAML_CERT_FILE: 'idp.pem', GANTRY_SAML_AUDIENCE: 'here', GANTRY_SAML_RECIPIENT: 'there' },
      /GANTRY_SAML_RECIPIENT must be a URL/,
    ],
    [{ GANTRY_OIDC_ISSUER: 'https://idp' }, /GANTRY_OIDC_ISSUER needs GANTRY_OIDC_CLIENT_ID, too/],
    [{ GANTRY_OIDC_ISSUER: 'https://idp', GANTRY_OIDC_CLIENT_ID: 'gantry' }, /needs GANTRY_PUBLIC_URL, too/],
    [
      {
        GANTRY_OIDC_ISSUER: 'http://idp',
        GANTRY_OIDC_CLIENT_ID: 'gantry',
        GANTRY_PUBLIC_URL: 'https://manager.example.com',
      },
      /GANTRY_OIDC_ISSUER must start with https/,
    ],
    [
      {
        GANTRY_OIDC_ISSUER: 'https://idp',
        GANTRY_OIDC_CLIENT_ID: 'gantry',
        GANTRY_OIDC_SCOPE: 'profile',
        GANTRY_PUBLIC_URL: 'https://manager.example.com',
      },
      /GANTRY_OIDC_SCOPE must contain openid/,
    ],
    [{ GANTRY_LOG_LEVEL: 'loud' }, /The log level must be one of error/],
  ] as const) {
    it(`refuses ${JSON.stringify(environment)}`, () => {
      expect(() => loadConfig(environment)).to.throw(message);
    });
  }
});

describe('log redaction', () => {
  it('hides values whose name says that they are secret, at any depth', () => {
    expect(redactFields({ user: 'a', password: 'b', request: { Authorization: 'c', path: '/' } })).to.deep.equal({
      user: 'a',
      password: '***',
      request: { Authorization: '***', path: '/' },
    });
  });
});
