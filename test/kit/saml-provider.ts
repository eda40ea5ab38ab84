import { createHash, createSign, randomUUID } from 'node:crypto';
import { createAuthority } from '../../src/security/certificates.ts';
import type { CertificatePair } from '../../src/security/certificates.ts';

const assertionNamespace = 'urn:oasis:names:tc:SAML:2.0:assertion';
const protocolNamespace = 'urn:oasis:names:tc:SAML:2.0:protocol';
const signatureNamespace = 'http://www.w3.org/2000/09/xmldsig#';
const minute = 60_000;

const algorithms = {
  sha256: {
    digest: 'http://www.w3.org/2001/04/xmlenc#sha256',
    signature: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  },
  sha1: { digest: `${signatureNamespace}sha1`, signature: `${signatureNamespace}rsa-sha1` },
} as const;

export interface AssertionOptions {
  id?: string;
  issuer?: string;
  audience?: string | null;
  recipient?: string;
  destination?: string;
  attributes?: Record<string, readonly string[]>;
  /** Milliseconds from now. */
  notBefore?: number;
  notOnOrAfter?: number;
  confirmedUntil?: number | null;
}

export interface SigningOptions {
  /** What is signed; both as Okta does it. */
  signed?: 'response' | 'assertion' | 'both' | 'nothing';
  pair?: CertificatePair;
  algorithm?: keyof typeof algorithms;
  /** Changes the assertion before it is signed. */
  edit?: (assertion: string) => string;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function timeIn(milliseconds: number): string {
  return new Date(Date.now() + milliseconds).toISOString();
}

/**
 * Puts a signature behind the issuer of an element, which must be written in its canonical form, so that no library is
 * needed to make what the product's library verifies.
 */
export function sign(element: string, pair: CertificatePair, algorithm: keyof typeof algorithms = 'sha256'): string {
  const [, id = ''] = / ID="([^"]*)"/.exec(element) ?? [];
  const names = algorithms[algorithm];
  const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#';
  const digest = createHash(algorithm).update(element).digest('base64');
  const signedInfo = (namespace: string): string =>
    `<ds:SignedInfo${namespace}><ds:CanonicalizationMethod Algorithm="${exclusive}"></ds:CanonicalizationMethod>` +
    `<ds:SignatureMethod Algorithm="${names.signature}"></ds:SignatureMethod><ds:Reference URI="#${id}"><ds:Transforms>` +
    `<ds:Transform Algorithm="${signatureNamespace}enveloped-signature"></ds:Transform>` +
    `<ds:Transform Algorithm="${exclusive}"></ds:Transform></ds:Transforms>` +
    `<ds:DigestMethod Algorithm="${names.digest}"></ds:DigestMethod><ds:DigestValue>${digest}</ds:DigestValue>` +
    `</ds:Reference></ds:SignedInfo>`;
  const value = createSign(`RSA-${algorithm.toUpperCase()}`)
    .update(signedInfo(` xmlns:ds="${signatureNamespace}"`))
    .sign(pair.key, 'base64');
  const signature =
    `<ds:Signature xmlns:ds="${signatureNamespace}">${signedInfo('')}` +
    `<ds:SignatureValue>${value}</ds:SignatureValue></ds:Signature>`;
  return element.replace('</saml:Issuer>', () => `</saml:Issuer>${signature}`);
}

/** Stands in for a SAML provider: makes and signs answers with a key of its own. */
export class SamlProvider {
  readonly issuer = 'https://idp.example.com/saml';
  readonly audience = 'https://manager.example.com/console';
  readonly recipient = 'https://manager.example.com/console/auth/saml/callback';
  readonly pair: CertificatePair;

  private constructor(pair: CertificatePair) {
    this.pair = pair;
  }

  static async create(): Promise<SamlProvider> {
    return new SamlProvider(await createAuthority({ name: 'Identity provider', days: 10, now: Date.now() }));
  }

  /** An assertion without signature, in canonical form. */
  assertion(options: AssertionOptions = {}): string {
    const { audience = this.audience, confirmedUntil = 5 * minute } = options;
    const { username = ['ada'], ...others } = options.attributes ?? {};
    const attributes = Object.entries({ ...(username.length > 0 ? { username } : {}), ...others }).map(
      ([name, values]) =>
        `<saml:Attribute Name="${name}">${values
          .map((value) => `<saml:AttributeValue>${escape(value)}</saml:AttributeValue>`)
          .join('')}</saml:Attribute>`,
    );
    const confirmed = confirmedUntil === null ? '' : ` NotOnOrAfter="${timeIn(confirmedUntil)}"`;
    const restriction =
      audience === null
        ? ''
        : `<saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction>`;
    return (
      `<saml:Assertion xmlns:saml="${assertionNamespace}" ID="${options.id ?? `_${randomUUID()}`}" ` +
      `IssueInstant="${timeIn(0)}" Version="2.0"><saml:Issuer>${options.issuer ?? this.issuer}</saml:Issuer>` +
      `<saml:Subject><saml:NameID>${escape(username[0] ?? 'nobody')}</saml:NameID>` +
      `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` +
      `${confirmed} Recipient="${options.recipient ?? this.recipient}"></saml:SubjectConfirmationData>` +
      `</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${timeIn(options.notBefore ?? -minute)}" ` +
      `NotOnOrAfter="${timeIn(options.notOnOrAfter ?? 5 * minute)}">${restriction}</saml:Conditions>` +
      `<saml:AuthnStatement AuthnInstant="${timeIn(0)}"><saml:AuthnContext><saml:AuthnContextClassRef>` +
      `urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>` +
      `</saml:AuthnStatement><saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion>`
    );
  }

  /** An answer around assertions, in canonical form, without signature of its own. */
  response(assertions: string, { destination = this.recipient }: AssertionOptions = {}): string {
    return (
      `<samlp:Response xmlns:samlp="${protocolNamespace}" Destination="${destination}" ID="_${randomUUID()}" ` +
      `IssueInstant="${timeIn(0)}" Version="2.0"><saml:Issuer xmlns:saml="${assertionNamespace}">${this.issuer}` +
      `</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success">` +
      `</samlp:StatusCode></samlp:Status>${assertions}</samlp:Response>`
    );
  }

  /** The text of an answer. */
  xml(options: AssertionOptions = {}, signing: SigningOptions = {}): string {
    const { signed = 'both', pair = this.pair, algorithm, edit = (text) => text } = signing;
    const plain = edit(this.assertion(options));
    const assertion = signed === 'both' || signed === 'assertion' ? sign(plain, pair, algorithm) : plain;
    const response = this.response(assertion, options);
    return signed === 'both' || signed === 'response' ? sign(response, pair, algorithm) : response;
  }

  /** What a browser brings. */
  answer(options: AssertionOptions = {}, signing: SigningOptions = {}): string {
    return encode(this.xml(options, signing));
  }
}

/** As it travels in a form. */
export function encode(xml: string): string {
  return Buffer.from(xml).toString('base64');
}
