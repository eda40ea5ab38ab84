/** X.509 certificates: an authority of the installation's own, and certificates that it signs. */
import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';

const generate = promisify(generateKeyPair);
const day = 24 * 3600 * 1000;
const authorityBits = 3072;
const serverBits = 2048;

/** A certificate and its private key, both as PEM. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** Common name. */
  readonly name: string;
  /** Days from now on. */
  readonly days: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface CertificateDescription {
  readonly subject: string;
  readonly issuer: string;
  /** Host names and addresses, e.g. `manager.example.com`, `10.0.0.1`. */
  readonly hosts: readonly string[];
  readonly validTo: Date;
  readonly isAuthority: boolean;
}

async function newKey(modulusLength: number): Promise<string> {
  const { privateKey } = await generate('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return privateKey;
}

function publicKeyOf(key: string): forge.pki.rsa.PublicKey {
  const { n, e } = forge.pki.privateKeyFromPem(key);
  return forge.pki.setRsaPublicKey(n, e);
}

function draft(key: string, { name, days, now }: CertificateRequest): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKeyOf(key);
  // a positive number of 16 bytes
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  // clocks differ
  certificate.validity.notBefore = new Date(now - day);
  certificate.validity.notAfter = new Date(now + days * day);
  certificate.setSubject([
    { name: 'organizationName', value: 'Gantry' },
    { name: 'commonName', value: name },
  ]);
  return certificate;
}

/** Makes an authority that may sign certificates, but no other authorities. */
export async function createAuthority(request: CertificateRequest): Promise<CertificatePair> {
  const key = await newKey(authorityBits);
  const certificate = draft(key, request);
  certificate.setIssuer(certificate.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(key), forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key };
}

/**
 * Makes a certificate for servers.
 * @param hosts names and addresses by which clients reach them
 */
export async function issueCertificate(
  authority: CertificatePair,
  request: CertificateRequest & { readonly hosts: readonly string[] },
): Promise<CertificatePair> {
  const key = await newKey(serverBits);
  const issuer = forge.pki.certificateFromPem(authority.certificate);
  const certificate = draft(key, request);
  certificate.setIssuer(issuer.subject.attributes);
  const altNames = request.hosts.map((host) => (isIP(host) ? { type: 7, ip: host } : { type: 2, value: host }));
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', altNames },
    { name: 'subjectKeyIdentifier' },
    {
      name: 'authorityKeyIdentifier',
      keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes(),
    },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(authority.key), forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key };
}

/** Takes the certificates of a PEM file apart. */
export function certificatesOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}

/** What the first certificate of a PEM file says. @throws Error when there is none */
export function describeCertificate(pem: string): CertificateDescription {
  const { subject, issuer, subjectAltName = '', validTo, ca } = new X509Certificate(pem);
  const oneLine = (text: string): string => text.split('\n').join(', ');
  return {
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    hosts: subjectAltName
      .split(', ')
      .filter((entry) => entry !== '')
      .map((entry) => entry.replace(/^(DNS|IP Address):/, '')),
    validTo: new Date(validTo),
    isAuthority: ca,
  };
}

/** Whether `pem` was signed by one of the authorities. */
export function isSignedBy(pem: string, authorities: string): boolean {
  const certificate = new X509Certificate(pem);
  return certificatesOf(authorities).some((authority) => certificate.checkIssued(new X509Certificate(authority)));
}
