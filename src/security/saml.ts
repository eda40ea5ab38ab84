/** What a SAML 2.0 identity provider says of somebody: who signed it, for whom, until when. */
import { SAML } from '@node-saml/node-saml';
import { coerceError } from '../domain/errors.ts';
import type { ExternalUser } from './external-user.ts';
import { samlAssertionOf } from './saml-assertion.ts';
import type { SamlAssertion } from './saml-assertion.ts';

/** What an answer of the provider has to fit. */
export interface SamlExpectation {
  /** Certificates that may have signed it, PEM. */
  readonly certificates: readonly string[];
  readonly audience: string;
  /** Undefined = not looked at. */
  readonly issuer: string | undefined;
  /** Undefined = not looked at. */
  readonly recipient: string | undefined;
}

/** A user for whom the provider speaks. */
export interface SamlUser {
  readonly user: ExternalUser;
  /** Of the assertion, together with who made it: nobody else makes the same. */
  readonly assertionId: string;
  /** When it is refused for its age, milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Why an answer is refused, in a sentence for whoever sets logins up. */
export class SamlRefusal extends Error {
  override readonly name = 'SamlRefusal';
}

/** Milliseconds by which the clock of the provider may differ from ours. */
const clockSkew = 60_000;

/**
 * An answer has dozens of elements and one for each group. What readers of XML and of signatures take grows with the
 * square of their number, and whoever sends an answer is not known yet.
 */
const most = { characters: 256 * 1024, tags: 3000, attributes: 6000 };

/**
 * Declarations, by which readers of XML are led to read other documents, or more than there is, and instructions to them;
 * comments, CDATA and the line that says which XML it is are none.
 */
const declaration = /<!(?!--|\[CDATA\[)|<\?(?!xml[ \t\r\n])/;

/** Signatures and digests that somebody may have found a second document for. */
const weakAlgorithm = /xmldsig#(\w+-)?(sha1|md5)\b|xmldsig-more#(rsa-)?md5\b/i;

/** What the library says -> what that means. */
const understood: readonly (readonly [RegExp, string])[] = [
  [/decryption key/, 'its assertion is encrypted; have the provider sign it only, it travels encrypted anyway'],
  [/Error parsing/, 'it does not say for how long it holds, or a time of it cannot be read'],
];

function refuse(reason: string): never {
  throw new SamlRefusal(reason);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function decode(response: string): string {
  if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(response)) {
    refuse('it is not base64');
  }
  const text = Buffer.from(response, 'base64').toString('utf8');
  if (text.length > most.characters || count(text, '<') > most.tags || count(text, '=') > most.attributes) {
    refuse('it is larger than answers of providers are; have the provider send those groups only that are of use here');
  }
  if (declaration.test(text)) {
    refuse('it has declarations or instructions such as <!DOCTYPE, which no provider sends');
  }
  return text;
}

/** The text with characters in place of the numbers by which XML may name them. */
function withoutReferences(text: string): string {
  return text.replaceAll(/&#(x[0-9a-f]{1,6}|\d{1,7});/gi, (reference, number: string) => {
    const code = Number(/^x/i.test(number) ? `0${number}` : number);
    return code > 0 && code < 128 ? String.fromCharCode(code) : reference;
  });
}

/** The assertion that is covered by a signature of the provider, read from the bytes that were signed. */
async function verifiedAssertion(response: string, certificates: readonly string[]): Promise<SamlAssertion> {
  const saml = new SAML({
    idpCert: [...certificates],
    // what it says is looked at here; the library looks at who signed it
    issuer: 'unused',
    callbackUrl: 'https://unused.invalid/',
    audience: false,
    acceptedClockSkewMs: -1,
    // one of both is asked for whatever these say
    wantAssertionsSigned: false,
    wantAuthnResponseSigned: false,
  });
  const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: response }).catch((error: unknown) => {
    const { message } = coerceError(error);
    const known = understood.find(([pattern]) => pattern.test(message))?.[1];
    return refuse(
      known ??
        `no certificate of GANTRY_SAML_CERT_FILE fits its signature, or it has none (${message.split('\n', 1)[0]?.slice(0, 100)})`,
    );
  });
  const assertion = profile?.getAssertion?.();
  return samlAssertionOf(assertion) ?? refuse('it has no assertion');
}

function checkTimes({ conditions, confirmations }: SamlAssertion, now: number): void {
  const times = [conditions, ...confirmations];
  if (times.some(({ notBefore }) => notBefore !== undefined && now + clockSkew < notBefore)) {
    refuse('it does not hold yet; compare the clocks of the provider and this machine');
  }
  if (times.some(({ notOnOrAfter }) => notOnOrAfter !== undefined && now - clockSkew >= notOnOrAfter)) {
    refuse('it is too old; log in again, or compare the clocks of the provider and this machine');
  }
}

function checkConfirmations({ confirmations }: SamlAssertion, recipient: string | undefined): void {
  if (confirmations.length === 0 || confirmations.some(({ notOnOrAfter }) => notOnOrAfter === undefined)) {
    refuse('it does not say for how long whoever brings it may be let in (SubjectConfirmation of the method bearer)');
  }
  if (recipient !== undefined && confirmations.some((confirmation) => confirmation.recipient !== recipient)) {
    refuse('it is for another recipient than GANTRY_SAML_RECIPIENT');
  }
}

/** Where the answer was sent to, as it says itself. */
function destinationOf(text: string): string | undefined {
  const [, start = ''] = /<(?:\w+:)?Response\s([^>]*)>/.exec(text) ?? [];
  return /(?:^|\s)Destination\s*=\s*(["'])(.*?)\1/.exec(start)?.[2];
}

function userOf({ attributes }: SamlAssertion): ExternalUser {
  const first = (name: string): string | undefined => attributes.get(name)?.find((value) => value !== '');
  const username = first('username');
  if (username === undefined) {
    refuse(
      `it has no attribute username; it has ${[...attributes.keys()].join(', ') || 'none'}. Have the provider send one`,
    );
  }
  return {
    username,
    email: first('email'),
    firstName: first('firstname'),
    lastName: first('lastname'),
    groups: attributes.get('groups') ?? [],
  };
}

/**
 * Verifies what a provider gave the browser of somebody.
 *
 * Compatibility: names of the attributes are those of Cloudify 7: username, firstname, lastname, email, groups.
 * @param response in base64
 * @param now milliseconds since the epoch
 * @throws SamlRefusal
 */
export async function verifySamlResponse(response: string, expected: SamlExpectation, now: number): Promise<SamlUser> {
  const text = decode(response);
  if (weakAlgorithm.test(withoutReferences(text))) {
    refuse('it is signed with SHA-1 or MD5; have the provider sign with SHA-256');
  }
  const assertion = await verifiedAssertion(response, expected.certificates);
  if (expected.issuer !== undefined && assertion.issuer !== expected.issuer) {
    refuse('it was made by another provider than GANTRY_SAML_ISSUER');
  }
  if (!assertion.audiences.includes(expected.audience)) {
    refuse('it is for another audience than GANTRY_SAML_AUDIENCE');
  }
  const destination = destinationOf(text);
  if (expected.recipient !== undefined && destination !== undefined && destination !== expected.recipient) {
    refuse('it was sent to another place than GANTRY_SAML_RECIPIENT');
  }
  checkConfirmations(assertion, expected.recipient);
  checkTimes(assertion, now);
  const ends = [assertion.conditions, ...assertion.confirmations].map(({ notOnOrAfter }) => notOnOrAfter ?? 0);
  return {
    user: userOf(assertion),
    assertionId: `${assertion.issuer} ${assertion.id}`,
    expiresAt: Math.max(...ends) + clockSkew,
  };
}
