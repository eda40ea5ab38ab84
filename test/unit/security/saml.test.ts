import { createHmac, createPublicKey, X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { verifySamlResponse } from '../../../src/security/saml.ts';
import type { SamlExpectation, SamlUser } from '../../../src/security/saml.ts';
import { encode, SamlProvider, sign } from '../../kit/saml-provider.ts';

const minute = 60_000;

describe('answers of a SAML provider', () => {
  let provider: SamlProvider;
  let other: SamlProvider;
  let expected: SamlExpectation;

  before(async function () {
    this.timeout(30_000);
    [provider, other] = await Promise.all([SamlProvider.create(), SamlProvider.create()]);
    const { issuer, audience, recipient } = provider;
    expected = { certificates: [provider.pair.certificate], issuer, audience, recipient };
  });

  const verify = (response: string, change: Partial<SamlExpectation> = {}): Promise<SamlUser> =>
    verifySamlResponse(response, { ...expected, ...change }, Date.now());

  async function refusal(response: string, change: Partial<SamlExpectation> = {}): Promise<string> {
    try {
      const { user } = await verify(response, change);
      return `let in ${user.username}`;
    } catch (error) {
      expect(error).to.have.property('name', 'SamlRefusal');
      return (error as Error).message;
    }
  }

  const attributes = {
    username: ['ada'],
    firstname: ['Ada'],
    lastname: ['King & Lovelace'],
    email: ['ada@example.com'],
    groups: ['builders', 'Readers, all'],
  };

  for (const signed of ['both', 'assertion', 'response'] as const) {
    it(`say who it is, with a signature on ${signed}`, async () => {
      const { user, assertionId, expiresAt } = await verify(provider.answer({ id: '_one', attributes }, { signed }));
      expect(user).to.deep.equal({
        username: 'ada',
        firstName: 'Ada',
        lastName: 'King & Lovelace',
        email: 'ada@example.com',
        groups: ['builders', 'Readers, all'],
      });
      expect(assertionId).to.equal(`${provider.issuer} _one`);
      expect(expiresAt).to.be.within(Date.now() + 5 * minute, Date.now() + 7 * minute);
    });
  }

  it('are taken with any of several certificates, while they change', async () => {
    const certificates = [other.pair.certificate, provider.pair.certificate];
    expect((await verify(provider.answer(), { certificates })).user.username).to.equal('ada');
  });

  it('are taken whatever the issuer and recipient are, when nobody says what they should be', async () => {
    const response = provider.answer({ issuer: 'https://other', recipient: 'https://r', destination: 'https://d' });
    expect((await verify(response, { issuer: undefined, recipient: undefined })).user.username).to.equal('ada');
  });

  it('are taken when the clocks differ by a little', async () => {
    const late = provider.answer({ notOnOrAfter: -minute / 2, confirmedUntil: -minute / 2 });
    const early = provider.answer({ notBefore: minute / 2 });
    expect((await verify(late)).user.username).to.equal('ada');
    expect((await verify(early)).user.username).to.equal('ada');
  });

  it('may begin with the line that says which XML it is', async () => {
    const { user } = await verify(encode(`<?xml version="1.0" encoding="UTF-8"?>${provider.xml()}`));
    expect(user.username).to.equal('ada');
  });

  it('may name a thousand groups', async () => {
    const groups = Array.from({ length: 1000 }, (_, index) => `group ${index} of the whole organization`);
    expect((await verify(provider.answer({ attributes: { groups } }))).user.groups).to.deep.equal(groups);
  });

  it('name a user as a whole, with a comment in the name', async () => {
    const response = provider.xml({ attributes: { username: ['ada.evil'] } }, { signed: 'assertion' });
    const { user } = await verify(encode(response.replace('>ada.evil</saml:A', '>ada<!-- -->.evil</saml:A')));
    expect(user.username).to.equal('ada.evil');
  });

  const badSignature = /^no certificate of GANTRY_SAML_CERT_FILE fits its signature/;
  const asEve = (xml: string): string => xml.replaceAll('>ada<', '>eve<');

  /** An assertion for Eve that nobody signed, with the id of the signed one or another. */
  const forged = (id: string): string => provider.assertion({ id, attributes: { username: ['eve'] } });

  /** What is refused, how it is made, and why it is. */
  const hostile: [string, () => string, RegExp][] = [
    ['no base64', () => '<Response/>', /not base64/],
    ['no XML', () => encode('ada'), badSignature],
    ['nothing signed', () => provider.answer({}, { signed: 'nothing' }), badSignature],
    ['another key', () => provider.answer({}, { pair: other.pair }), badSignature],
    ['a changed assertion', () => encode(asEve(provider.xml({}, { signed: 'assertion' }))), badSignature],
    ['a changed answer', () => encode(asEve(provider.xml({}, { signed: 'response' }))), badSignature],
    ['a changed answer with both signed', () => encode(asEve(provider.xml())), badSignature],
    ['SHA-1', () => provider.answer({}, { algorithm: 'sha1' }), /signed with SHA-1/],
    [
      'SHA-1 written with character references',
      () =>
        encode(
          provider.xml({}, { algorithm: 'sha1' }).replaceAll('sha1"', 's&#x68;a1"').replaceAll('#rsa-', '#rs&#97;-'),
        ),
      /signed with SHA-1/,
    ],
    [
      'the certificate taken for the key of an HMAC',
      () => {
        const hmac = 'http://www.w3.org/2000/09/xmldsig#hmac-sha256';
        const xml = provider.xml({}, { signed: 'assertion' });
        const forgery = xml.replace(/http:\/\/www.w3.org\/2001\/04\/xmldsig-more#rsa-sha256/, hmac);
        const [info = ''] = /<ds:SignedInfo>.*<\/ds:SignedInfo>/s.exec(forgery) ?? [];
        const signedInfo = info.replace('>', ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#">');
        const value = createHmac('sha256', provider.pair.certificate).update(signedInfo).digest('base64');
        return encode(forgery.replace(/<ds:SignatureValue>[^<]*/, `<ds:SignatureValue>${value}`));
      },
      badSignature,
    ],
    [
      'a key that comes with the signature',
      () => {
        const key = createPublicKey(
          new X509Certificate(other.pair.certificate).publicKey.export({ type: 'spki', format: 'pem' }),
        );
        const certificate = other.pair.certificate.replaceAll(/-----[A-Z ]+-----|\s/g, '');
        expect(key.type).to.equal('public');
        const info = `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`;
        return encode(
          provider
            .xml({}, { pair: other.pair, signed: 'assertion' })
            .replace('</ds:Signature>', `${info}</ds:Signature>`),
        );
      },
      badSignature,
    ],
    [
      'a second assertion before the signed one',
      () => {
        const signed = sign(provider.assertion({ id: '_good' }), provider.pair);
        return encode(provider.response(forged('_evil') + signed));
      },
      badSignature,
    ],
    [
      'a second assertion behind the signed one',
      () => {
        const signed = sign(provider.assertion({ id: '_good' }), provider.pair);
        return encode(provider.response(signed + forged('_evil')));
      },
      badSignature,
    ],
    [
      'the signed assertion wrapped in a forged one of the same id',
      () => {
        const signed = sign(provider.assertion({ id: '_good' }), provider.pair);
        return encode(provider.response(forged('_good').replace('</saml:Issuer>', `</saml:Issuer>${signed}`)));
      },
      badSignature,
    ],
    [
      'a forged assertion whose signature covers another one inside it',
      () => {
        const signed = sign(provider.assertion({ id: '_good' }), provider.pair);
        const [signature = ''] = /<ds:Signature .*<\/ds:Signature>/s.exec(signed) ?? [];
        const original = signed.replace(signature, '');
        const withObject = signature.replace('</ds:Signature>', `<ds:Object>${original}</ds:Object></ds:Signature>`);
        return encode(provider.response(forged('_evil').replace('</saml:Issuer>', `</saml:Issuer>${withObject}`)));
      },
      badSignature,
    ],
    [
      'the signed answer wrapped in a forged one',
      () => {
        const signed = provider.xml({}, { signed: 'response' });
        const extensions = `<samlp:Extensions>${signed}</samlp:Extensions>`;
        return encode(
          provider.response(forged('_evil')).replace('<samlp:Status>', () => `${extensions}<samlp:Status>`),
        );
      },
      badSignature,
    ],
    [
      'a document type',
      () => encode(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${provider.xml()}`),
      /has declarations or instructions/,
    ],
    [
      'entities that grow',
      () => encode(`<!doctype r [<!ENTITY a "aa">]>${provider.xml()}`),
      /has declarations or instructions/,
    ],
    ['a declaration that is none', () => encode(`<!${' '.repeat(200_000)}`), /has declarations or instructions/],
    [
      'an instruction',
      () => encode(`<?xml-stylesheet href="x"?>${provider.xml()}`),
      /has declarations or instructions/,
    ],
    ...(
      [
        ['elements', '<a/>'.repeat(3000)],
        ['attributes', `<a ${Array.from({ length: 6000 }, (_, index) => `a${index}=""`).join(' ')}/>`],
        ['characters', 'a'.repeat(256 * 1024)],
      ] as const
    ).map(([what, content]): [string, () => string, RegExp] => [
      `more ${what} than any provider sends`,
      () => encode(provider.xml().replace('</saml:AttributeStatement>', `${content}</saml:AttributeStatement>`)),
      /larger than answers of providers/,
    ]),
    ['another provider', () => provider.answer({ issuer: 'https://evil' }), /another provider than GANTRY_SAML_ISSUER/],
    ['another audience', () => provider.answer({ audience: 'https://other' }), /another audience/],
    ['no audience', () => provider.answer({ audience: null }), /another audience/],
    [
      'two restrictions of which one is another audience',
      () =>
        provider.answer(
          {},
          {
            edit: (text) =>
              text.replace(
                '</saml:Conditions>',
                '<saml:AudienceRestriction><saml:Audience>https://other</saml:Audience></saml:AudienceRestriction></saml:Conditions>',
              ),
          },
        ),
      /another audience/,
    ],
    ['another recipient', () => provider.answer({ recipient: 'https://other' }), /another recipient/],
    ['another destination', () => provider.answer({ destination: 'https://other' }), /sent to another place/],
    ['one that has ended', () => provider.answer({ notOnOrAfter: -2 * minute }), /too old/],
    ['one that nobody may bring any more', () => provider.answer({ confirmedUntil: -2 * minute }), /too old/],
    ['one that has not begun', () => provider.answer({ notBefore: 2 * minute }), /does not hold yet/],
    ['one without an end', () => provider.answer({ confirmedUntil: null }), /for how long/],
    [
      'a time that is none',
      () => provider.answer({}, { edit: (text) => text.replace(/NotBefore="[^"]*"/, 'NotBefore="soon"') }),
      /does not hold yet/,
    ],
    [
      'one that only its holder may use',
      () => provider.answer({}, { edit: (text) => text.replace('cm:bearer', 'cm:holder-of-key') }),
      /for how long/,
    ],
    [
      'no name of the user',
      () => provider.answer({ attributes: { username: [], email: ['a@b'] } }),
      /no attribute username; it has email/,
    ],
  ];
  for (const [what, make, reason] of hostile) {
    it(`are refused: ${what}`, async () => {
      expect(await refusal(make())).to.match(reason);
    });
  }

  it('tell what a refused one was, never what is in it', async () => {
    const message = await refusal(provider.answer({ attributes }, { pair: other.pair }));
    expect(message).not.to.match(/ada|Lovelace|builders/);
  });
});
