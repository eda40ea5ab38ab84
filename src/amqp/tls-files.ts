import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { TlsPeer } from '../domain/tls-failure.ts';

/** PEM files for connections to the broker. */
export interface BrokerTlsFiles {
  /** Certificate authority of the broker; undefined = those that the system trusts. */
  readonly caFile: string | undefined;
  /** Our own certificate and its key, for brokers that want one; both or none. */
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** What the files say. */
export interface BrokerTlsContents {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const settings = {
  ca: 'GANTRY_AMQP_CA_FILE',
  cert: 'GANTRY_AMQP_CERT_FILE',
  key: 'GANTRY_AMQP_KEY_FILE',
} as const;

export const noTlsFiles: BrokerTlsFiles = { caFile: undefined, certificateFile: undefined, keyFile: undefined };

function read(part: keyof typeof settings, file: string | undefined): BrokerTlsContents {
  if (file === undefined) {
    return {};
  }
  try {
    return { [part]: readFileSync(file) };
  } catch (error) {
    throw new GantryError(
      'bad_parameters_error',
      `${settings[part]} names ${file}, which cannot be read (${coerceError(error).message})`,
      { cause: error },
    );
  }
}

/**
 * Reads the files as they are now: a renewed one counts for the next connection.
 * @throws GantryError bad_parameters_error naming the setting of a file that cannot be read or used
 */
export function readTlsFiles({ caFile, certificateFile, keyFile }: BrokerTlsFiles): BrokerTlsContents {
  const contents = { ...read('ca', caFile), ...read('cert', certificateFile), ...read('key', keyFile) };
  if (contents.ca && !contents.ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new GantryError('bad_parameters_error', `${settings.ca} names ${caFile}, which holds no certificate`);
  }
  try {
    createSecureContext(contents);
  } catch (error) {
    throw new GantryError(
      'bad_parameters_error',
      `The files of ${Object.values(settings).join(', ')} cannot be used: ${coerceError(error).message}`,
      { cause: error },
    );
  }
  return contents;
}

/** The broker as messages about TLS show it. */
export function brokerPeer(address: string, addressSetting: string): TlsPeer {
  return {
    address,
    addressSetting,
    authoritySetting: settings.ca,
    clientSetting: `${settings.cert} and ${settings.key}`,
  };
}
