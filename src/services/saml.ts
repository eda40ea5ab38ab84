import { X509Certificate, createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SamlConfig } from '../config/identity-providers.ts';
import type { Clock } from '../domain/clock.ts';
import type { User } from '../domain/entities.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { Logger } from '../log/logger.ts';
import { certificatesOf } from '../security/certificates.ts';
import { SamlRefusal, verifySamlResponse } from '../security/saml.ts';
import type { SamlUser } from '../security/saml.ts';
import type { Database } from '../store/database.ts';
import { enterExternalUser } from './external-users.ts';
import type { ProofLogin } from './identity-providers.ts';

export interface SamlLoginDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws GantryError bad_parameters_error naming the setting */
async function readCertificates(file: string): Promise<string[]> {
  const refuse = (reason: string): never => {
    throw new GantryError(
      'bad_parameters_error',
      `GANTRY_SAML_CERT_FILE: ${reason}. Store the signing certificate of the identity provider there, as PEM`,
    );
  };
  const text = await readFile(file, 'utf8').catch((error: unknown) => refuse(coerceError(error).message));
  const certificates = certificatesOf(text);
  try {
    certificates.forEach((certificate) => new X509Certificate(certificate));
  } catch (error) {
    refuse(`${file} has a certificate that cannot be read: ${coerceError(error).message}`);
  }
  return certificates.length > 0 ? certificates : refuse(`${file} has no certificate`);
}

/**
 * Lets users in by assertions of a SAML provider. The file with the certificates is read for each login, so that one that
 * was replaced counts at once.
 * @throws GantryError bad_parameters_error naming the setting that is wrong
 */
export async function openSamlLogin(
  config: SamlConfig,
  { database, clock, log }: SamlLoginDependencies,
): Promise<ProofLogin<'saml'>> {
  await readCertificates(config.certificateFile);

  const verify = async (response: string): Promise<SamlUser> => {
    const certificates = await readCertificates(config.certificateFile);
    try {
      return await verifySamlResponse(response, { ...config, certificates }, clock.now());
    } catch (error) {
      throw error instanceof SamlRefusal
        ? new GantryError('unauthorized_error', `User unauthorized: The SAML response is refused: ${error.message}`)
        : error;
    }
  };

  const enter = async (response: string, address: string): Promise<User> => {
    const { user, assertionId, expiresAt } = await verify(response);
    const id = createHash('sha256').update(`saml ${assertionId}`).digest('base64url');
    return enterExternalUser(database, user, { once: { id, expiresAt: new Date(expiresAt) }, address });
  };

  return {
    async prove({ response }, address) {
      try {
        return { user: await enter(response, address), method: 'saml' };
      } catch (error) {
        log.warn('A login by SAML is refused', { reason: coerceError(error).message, address });
        throw error;
      }
    },
  };
}
